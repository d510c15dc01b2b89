/* A reader driver (IFD handler, version 3) for pcscd whose readers are moved by a test over a unix socket.
 *
 * Each reader connects to the socket that its DEVICENAME "PATH:N" names, says which it is (N, 4 bytes), and is sent its
 * whole state (struct state) now and at each change; it answers each with a struct report that tells when the state
 * came into force. A change wakes pcscd at once, where vpcd waits for pcscd's next look (400 ms). Other reports tell
 * what pcscd asked of the reader. All numbers are in the machine's own order: both ends are one machine.
 */
#include <errno.h>
#include <ifdhandler.h>
#include <pthread.h>
#include <reader.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define READERS 16

enum { REPORT_STATE, REPORT_POWER, REPORT_APDU, REPORT_CONTROL, REPORT_PULLED };

struct state {
    uint32_t plugged, present;
    uint32_t mute;         /* the card does not answer to power */
    uint32_t failing;      /* each APDU ends in a reader error */
    uint32_t pulled_at;    /* the card is gone in the middle of its n-th APDU from now, 0: never */
    uint32_t frozen;       /* the driver hangs in whatever it is asked */
    uint32_t apdu_ms;      /* so long an APDU takes */
    uint32_t channel_id;   /* SCARD_ATTR_CHANNEL_ID, 0: not supported */
    uint32_t answer_size, atr_size;
    uint8_t answer[64];    /* to each APDU, status word included */
    uint8_t atr[MAX_ATR_SIZE + 3]; /* 36: a multiple of 4, so that no padding follows */
};

struct report {
    uint32_t kind, value;
    uint64_t boottime_ns;
};

struct reader {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    pthread_t follower, poller;
    int socket, changed;
    int gone; /* a card was taken off that pcscd does not know of yet, whatever lies there now: */
    int told; /* … its counting thread has been told, and will look again */
    struct state state;
};

static struct reader readers[READERS];

static struct reader *of(DWORD lun) { return &readers[(lun >> 16) % READERS]; }

static void report(struct reader *r, uint32_t kind, uint32_t value)
{
    struct timespec now;
    struct report message = {kind, value, 0};
    clock_gettime(CLOCK_BOOTTIME, &now);
    message.boottime_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    (void)!send(r->socket, &message, sizeof message, MSG_NOSIGNAL);
}

/* Locks the reader, after it has thawed: what hangs here hangs pcscd as a stuck driver does. */
static struct reader *enter(DWORD lun)
{
    struct reader *r = of(lun);
    pthread_mutex_lock(&r->lock);
    while (r->state.frozen)
        pthread_cond_wait(&r->moved, &r->lock);
    return r;
}

static RESPONSECODE leave(struct reader *r, RESPONSECODE code)
{
    pthread_mutex_unlock(&r->lock);
    return code;
}

static void move(struct reader *r)
{
    r->changed = 1;
    pthread_cond_broadcast(&r->moved);
}

static void *follow(void *argument)
{
    struct reader *r = argument;
    struct state next;
    while (recv(r->socket, &next, sizeof next, MSG_WAITALL) == sizeof next) {
        pthread_mutex_lock(&r->lock);
        r->gone |= r->state.present && !next.present;
        r->state = next;
        report(r, REPORT_STATE, next.present);
        move(r);
        pthread_mutex_unlock(&r->lock);
    }
    return NULL;
}

/* pcscd's thread that counts cards (it asks IFDHICCPresence twice each time) sits in here, until something moves or time is up. */
static RESPONSECODE poll_card(DWORD lun, int timeout_ms)
{
    struct reader *r = of(lun);
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&r->lock);
    r->poller = pthread_self();
    if (r->told) { /* a card put in the place of one that was taken off is thus always seen as another */
        r->gone = r->told = 0;
        move(r);
    }
    while (!r->changed && pthread_cond_timedwait(&r->moved, &r->lock, &until) != ETIMEDOUT)
        ;
    r->changed = 0;
    return leave(r, r->state.plugged ? IFD_SUCCESS : IFD_NO_SUCH_DEVICE);
}

static RESPONSECODE stop_polling(DWORD lun)
{
    struct reader *r = of(lun);
    pthread_mutex_lock(&r->lock);
    move(r);
    return leave(r, IFD_SUCCESS);
}

RESPONSECODE IFDHCreateChannelByName(DWORD lun, LPSTR device)
{
    struct reader *r = of(lun);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *colon = strrchr(device, ':');
    uint32_t number = colon ? (uint32_t)atoi(colon + 1) : 0;
    if (!colon || (size_t)(colon - device) >= sizeof address.sun_path)
        return IFD_NO_SUCH_DEVICE;
    memcpy(address.sun_path, device, (size_t)(colon - device));
    r->changed = r->gone = r->told = 0;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->moved, NULL);
    r->socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(r->socket, (struct sockaddr *)&address, sizeof address) != 0
        || send(r->socket, &number, sizeof number, MSG_NOSIGNAL) != sizeof number
        || recv(r->socket, &r->state, sizeof r->state, MSG_WAITALL) != sizeof r->state || !r->state.plugged
        || pthread_create(&r->follower, NULL, follow, r) != 0) {
        close(r->socket);
        return IFD_NO_SUCH_DEVICE;
    }
    report(r, REPORT_STATE, r->state.present);
    return IFD_SUCCESS;
}

RESPONSECODE IFDHCreateChannel(DWORD lun, DWORD channel)
{
    (void)lun, (void)channel;
    return IFD_NOT_SUPPORTED; /* a DEVICENAME is needed */
}

RESPONSECODE IFDHCloseChannel(DWORD lun)
{
    struct reader *r = of(lun);
    shutdown(r->socket, SHUT_RDWR);
    pthread_join(r->follower, NULL);
    close(r->socket);
    return IFD_SUCCESS;
}

static RESPONSECODE tell(PDWORD length, PUCHAR value, const void *from, size_t size)
{
    if (*length < size)
        return IFD_ERROR_INSUFFICIENT_BUFFER;
    memcpy(value, from, size);
    *length = size;
    return IFD_SUCCESS;
}

RESPONSECODE IFDHGetCapabilities(DWORD lun, DWORD tag, PDWORD length, PUCHAR value)
{
    static const uint8_t one = 1, all = READERS;
    RESPONSECODE (*poller)(DWORD, int) = poll_card;
    RESPONSECODE (*stopper)(DWORD) = stop_polling;
    struct reader *r;
    RESPONSECODE code = IFD_ERROR_TAG;
    switch (tag) { /* what pcscd asks when it lists a reader is answered by a frozen one, too */
    case TAG_IFD_SIMULTANEOUS_ACCESS: return tell(length, value, &all, 1);
    case TAG_IFD_SLOTS_NUMBER:
    case TAG_IFD_THREAD_SAFE: return tell(length, value, &one, 1);
    case TAG_IFD_POLLING_THREAD_WITH_TIMEOUT: return tell(length, value, &poller, sizeof poller);
    case TAG_IFD_STOP_POLLING_THREAD: return tell(length, value, &stopper, sizeof stopper);
    }
    r = enter(lun);
    if (tag == SCARD_ATTR_CHANNEL_ID && r->state.channel_id)
        code = tell(length, value, &r->state.channel_id, sizeof r->state.channel_id);
    else if (tag == TAG_IFD_ATR || tag == SCARD_ATTR_ATR_STRING)
        code = tell(length, value, r->state.atr, r->state.atr_size);
    return leave(r, code);
}

RESPONSECODE IFDHSetCapabilities(DWORD lun, DWORD tag, DWORD length, PUCHAR value)
{
    (void)lun, (void)tag, (void)length, (void)value;
    return IFD_NOT_SUPPORTED;
}

RESPONSECODE IFDHSetProtocolParameters(DWORD lun, DWORD protocol, UCHAR flags, UCHAR p1, UCHAR p2, UCHAR p3)
{
    (void)lun, (void)protocol, (void)flags, (void)p1, (void)p2, (void)p3;
    return IFD_SUCCESS;
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD atr_size)
{
    struct reader *r = enter(lun);
    *atr_size = 0;
    if (action == IFD_POWER_DOWN)
        return leave(r, IFD_SUCCESS);
    report(r, REPORT_POWER, (uint32_t)action);
    if (!r->state.present || r->state.mute)
        return leave(r, IFD_ERROR_POWER_ACTION);
    memcpy(atr, r->state.atr, r->state.atr_size);
    *atr_size = r->state.atr_size;
    return leave(r, IFD_SUCCESS);
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER send_pci, PUCHAR command, DWORD command_size, PUCHAR answer,
                               PDWORD answer_size, PSCARD_IO_HEADER receive_pci)
{
    struct reader *r = enter(lun);
    struct timespec delay = {r->state.apdu_ms / 1000, (long)(r->state.apdu_ms % 1000) * 1000000};
    (void)send_pci, (void)command, (void)receive_pci;
    report(r, REPORT_APDU, (uint32_t)command_size);
    if (r->state.pulled_at && --r->state.pulled_at == 0) {
        r->state.present = 0;
        r->gone = 1;
        report(r, REPORT_PULLED, 0);
        move(r);
    }
    pthread_mutex_unlock(&r->lock);
    nanosleep(&delay, NULL); /* unlocked: a card may be pulled out of a slow APDU */
    pthread_mutex_lock(&r->lock);
    if (!r->state.present || r->gone || r->state.failing || *answer_size < r->state.answer_size) {
        *answer_size = 0;
        return leave(r, IFD_COMMUNICATION_ERROR);
    }
    memcpy(answer, r->state.answer, r->state.answer_size);
    *answer_size = r->state.answer_size;
    return leave(r, IFD_SUCCESS);
}

/* Escape commands (lamp, buzzer): answered 90 00, with a card or without. */
RESPONSECODE IFDHControl(DWORD lun, DWORD code, PUCHAR command, DWORD command_size, PUCHAR answer, DWORD answer_room,
                         PDWORD answer_size)
{
    struct reader *r = enter(lun);
    (void)command, (void)command_size;
    *answer_size = 0;
    if (answer_room < 2)
        return leave(r, IFD_ERROR_INSUFFICIENT_BUFFER);
    report(r, REPORT_CONTROL, (uint32_t)code);
    memcpy(answer, "\x90\x00", 2);
    *answer_size = 2;
    return leave(r, IFD_SUCCESS);
}

RESPONSECODE IFDHICCPresence(DWORD lun)
{
    struct reader *r = enter(lun);
    if (!r->state.plugged)
        return leave(r, IFD_NO_SUCH_DEVICE);
    if (pthread_equal(r->poller, pthread_self()))
        r->told |= r->gone;
    return leave(r, r->state.present && !r->gone ? IFD_ICC_PRESENT : IFD_ICC_NOT_PRESENT);
}
