/* A GPIO chip without hardware: stands between libgpiod and the kernel (LD_PRELOAD) and answers the v2 calls of linux/gpio.h.
 *
 * GPIOCHIP is the chip's path, a link to some character device; GPIOCHIP_SOCKET the unix socket of the test that plays the
 * pins (tests/rig/gpiochip.py). Each requested line is a connection there, and its end frees the line, as the kernel's
 * own descriptor does, however the process ends. All numbers are in the machine's own order.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define LINES 8

enum { REQUEST, SET };

struct message {
    uint32_t kind, offset;
    uint64_t flags, value;
};

/* Sends a message and returns the errno that the test answers. */
static int ask(int fd, struct message message)
{
    int32_t answer = EIO;
    if (send(fd, &message, sizeof message, MSG_NOSIGNAL) != sizeof message
        || recv(fd, &answer, sizeof answer, MSG_WAITALL) != sizeof answer)
        return ENODEV; /* the chip is gone */
    return answer;
}

static int request(struct gpio_v2_line_request *wanted)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("GPIOCHIP_SOCKET");
    uint64_t value = 0;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), error;
    if (wanted->num_lines != 1 || wanted->offsets[0] >= LINES) {
        close(fd);
        return EINVAL;
    }
    for (uint32_t i = 0; i < wanted->config.num_attrs; i++)
        if (wanted->config.attrs[i].attr.id == GPIO_V2_LINE_ATTR_ID_OUTPUT_VALUES)
            value = wanted->config.attrs[i].attr.values & wanted->config.attrs[i].mask & 1;
    strncpy(address.sun_path, path ? path : "", sizeof address.sun_path - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        error = ENODEV;
    else
        error = ask(fd, (struct message){REQUEST, wanted->offsets[0], wanted->config.flags, value});
    if (error)
        close(fd);
    else
        wanted->fd = fd;
    return error;
}

static int answer(int fd, unsigned long code, void *argument)
{
    struct gpiochip_info *chip = argument;
    struct gpio_v2_line_info *line = argument;
    struct gpio_v2_line_values *values = argument;
    switch ((uint32_t)code) { /* some callers extend the sign; the kernel takes 32 bits */
    case GPIO_GET_CHIPINFO_IOCTL:
        *chip = (struct gpiochip_info){.name = "gpiochip0", .label = "test", .lines = LINES};
        return 0;
    case GPIO_V2_GET_LINEINFO_IOCTL:
        if (line->offset >= LINES)
            return EINVAL;
        memset(line->name, 0, sizeof line->name);
        strcpy(line->name, "GPIO0");
        line->name[4] = (char)('0' + line->offset);
        return 0;
    case GPIO_V2_GET_LINE_IOCTL: return request(argument);
    case GPIO_V2_LINE_SET_VALUES_IOCTL: return ask(fd, (struct message){SET, 0, 0, values->bits & values->mask & 1});
    }
    return ENOTTY;
}

int ioctl(int fd, unsigned long code, ...)
{
    static int (*real)(int, unsigned long, ...);
    va_list list;
    void *argument;
    int error;
    va_start(list, code);
    argument = va_arg(list, void *);
    va_end(list);
    if (_IOC_TYPE(code) != 0xB4) { /* linux/gpio.h's own letter */
        if (!real)
            real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
        return real(fd, code, argument);
    }
    error = answer(fd, code, argument);
    if (error) {
        errno = error;
        return -1;
    }
    return 0;
}

/* libgpiod asks sysfs whether a character device is a GPIO chip. */
char *realpath(const char *path, char *resolved)
{
    static char *(*real)(const char *, char *);
    if (getenv("GPIOCHIP") && !resolved && strncmp(path, "/sys/dev/char/", 14) == 0)
        return strdup("/sys/bus/gpio");
    if (!real)
        real = (char *(*)(const char *, char *))dlvsym(RTLD_NEXT, "realpath", "GLIBC_2.3");
    return real(path, resolved);
}
