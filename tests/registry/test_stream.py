"""The stream: what is committed by whichever process is at every connected host at once; who cannot follow is let go."""

import asyncio
import os
import secrets
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from django.db import connection
from django.utils import timezone
from starlette.types import Message, Scope

from registry.api.app import Api
from registry.api.calls import Services
from registry.api.threads import DatabaseThreads
from registry.models import School, SiteState
from registry.publishing import keys
from registry.publishing.changes import documents_changed
from registry.publishing.deltas import DeltaStore
from registry.publishing.snapshots import SnapshotStore
from registry.stream import Hub, Subscriber
from sync.wire.stream import DeltaLine, DeskLine, Line, PeopleLine, RootLine, TimestampLine, VersionLine, parse_line
from tests.rig import registered
from tests.rig.postgresql import VARIABLE
from tests.rig.protocol_host import ProtocolHost
from tests.rig.registry_process import RegistryProcess, a_school

WAIT_S: Final = 20
_COUNT: Final = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
    print(cursor.fetchone()[0])
"""
CLOSE: Final = """
from registry.publishing.changes import card_changed
from django.db import transaction
import time
with transaction.atomic():
    card = Card.objects.select_for_update().get(number="{number}")
    card.state, card.close_reason = "closed", "lost"
    card.save()
    card_changed(card)
print(time.time())
"""


@pytest.fixture(scope="module")
def registry() -> Iterator[RegistryProcess]:
    """A registry with a school of forty pupils."""
    with RegistryProcess() as running:
        running.do(a_school(pupils=40))
        yield running


def enrolled(registry: RegistryProcess, *more: str) -> ProtocolHost:
    """A host that is enrolled and has caught up."""
    host = ProtocolHost(registry.port, f"host-{secrets.token_hex(4)}")
    code = registry.command("enrol-code", host.name, *more).splitlines()[0]
    assert asyncio.run(host.enrol(code)).status == 200
    asyncio.run(host.catch_up())
    return host


async def first(lines: AsyncIterator[Line], kind: type) -> Line:
    """Return the next line of a kind."""
    async with asyncio.timeout(WAIT_S):
        async for line in lines:
            if isinstance(line, kind):
                return line
    raise AssertionError(f"the stream ended without a {kind.__name__}")


async def do(registry: RegistryProcess, source: str) -> str:
    """Do something in another process, while streams go on."""
    return await asyncio.to_thread(registry.do, source)


SHOW: Final = """
from django.db import transaction
from registry.publishing.people import let_show, people_changed
with transaction.atomic(): {what}
"""


def test_a_host_is_told_of_names_that_it_may_show_and_another_of_none(registry: RegistryProcess) -> None:
    """At once, at each change, and 0 when it may show them no more; a door hears of none at all."""
    till, door = enrolled(registry), enrolled(registry)
    host = f"Host.objects.get(name='{till.name}')"

    async def hear() -> tuple[list[int], list[int]]:
        versions, of_door = [], []
        async with till.stream() as told, door.stream() as other:
            lines, door_lines = till.listen(told), door.listen(other)
            for what in (
                "pass",
                f"let_show({host}, 'canteen')",
                "people_changed(School.objects.get())",
                f"let_show({host}, 'none')",
            ):
                await do(registry, SHOW.format(what=what))
                line = await first(lines, PeopleLine)
                assert isinstance(line, PeopleLine)
                versions.append(line.version)
            line = await first(door_lines, PeopleLine)
            assert isinstance(line, PeopleLine)
            of_door.append(line.version)
            await do(registry, CLOSE.format(number=9))
            async with asyncio.timeout(WAIT_S):
                async for later in door_lines:
                    if isinstance(later, DeltaLine):
                        break
                    of_door += [later.version] if isinstance(later, PeopleLine) else []
        return versions, of_door

    versions, of_door = asyncio.run(hear())
    assert (versions[0], versions[3], of_door) == (0, 0, [0])
    assert 0 < versions[1] < versions[2]


def test_T24_a_card_closed_in_another_process_is_closed_at_every_host(registry: RegistryProcess) -> None:
    """Each host is told the time first, then the change itself, verified, within a moment."""
    hosts = [enrolled(registry) for _ in range(3)]

    async def hear(host: ProtocolHost, ready: asyncio.Semaphore) -> float:
        await host.catch_up()
        async with host.stream() as stream:
            lines = host.listen(stream)
            assert isinstance(await anext(lines), TimestampLine)
            ready.release()
            await first(lines, DeltaLine)
            return time.time()

    async def closed() -> list[float]:
        ready = asyncio.Semaphore(0)
        hearing = [asyncio.create_task(hear(host, ready)) for host in hosts]
        for _ in hosts:
            await ready.acquire()
        committed = float(await do(registry, CLOSE.format(number=3)))
        return [at - committed for at in await asyncio.gather(*hearing)]

    took_s = asyncio.run(closed())
    assert [host.state_of(b"\x10\0\0\x03") for host in hosts] == ["closed"] * 3
    assert max(took_s) < 5  # some 20 ms where nothing else runs; docs/wire.md


def test_a_large_change_is_told_and_fetched(registry: RegistryProcess) -> None:
    """More than a line may hold is told by its number alone."""
    host = enrolled(registry)

    async def grown() -> None:
        async with host.stream() as stream:
            lines = host.listen(stream)
            await anext(lines)
            await do(
                registry,
                "import random\nfrom registry.publishing.changes import refresh\nschool = School.objects.get()\n"
                "kept = dict(school=school, kind='visitor', state='active')\n"
                "Card.objects.bulk_create([Card(number=f'V{n}', uid=random.randbytes(7), **kept) for n in range(4000)])\n"
                "ids = list(Card.objects.filter(kind='visitor').values_list('pk', flat=True))\n"
                "from registry.publishing.changes import cards_changed\ncards_changed(school, ids)",
            )
            await first(lines, VersionLine)

    asyncio.run(grown())
    assert sum(row[3] == "visitor" for row in host.cards.values()) == 4000


def test_a_desk_is_asked_once_and_again_when_it_returns(registry: RegistryProcess) -> None:
    """Only the desk that is meant hears it; a stream that begins anew hears what still waits."""
    desk, other = enrolled(registry, "--desk"), enrolled(registry)

    async def asked() -> list[int]:
        heard: list[int] = []
        async with desk.stream() as stream, other.stream() as others:
            lines, other_lines = desk.listen(stream), other.listen(others)
            await anext(lines)
            await anext(other_lines)
            made = await do(
                registry,
                "from datetime import timedelta\nfrom registry.publishing import bell\n"
                f"desk = Host.objects.get(name='{desk.name}'); now = timezone.now()\n"
                "print(DeskRequest.objects.create(host=desk, asked_by='t', asked_at=now,"
                " expires_at=now + timedelta(minutes=5)).pk)\nbell.ring('desk')",
            )
            line = await first(lines, DeskLine)
            assert isinstance(line, DeskLine)
            heard += [int(made), line.request]
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(1):
                    await first(other_lines, DeskLine)
        async with desk.stream() as stream:
            line = await first(desk.listen(stream), DeskLine)
            assert isinstance(line, DeskLine)
            heard.append(line.request)
        return heard

    assert len(set(asyncio.run(asked()))) == 1


def test_a_revoked_hosts_stream_ends(registry: RegistryProcess) -> None:
    """At once, and it cannot begin another."""
    host = enrolled(registry)

    async def revoked() -> None:
        async with host.stream() as stream:
            lines = host.listen(stream)
            await anext(lines)
            await do(
                registry,
                "from registry.publishing.changes import documents_changed\n"
                f"host = Host.objects.get(name='{host.name}'); host.revoked_at = timezone.now(); host.save()\n"
                "documents_changed(host.school)",
            )
            async with asyncio.timeout(WAIT_S):
                async for _ in lines:
                    pass
        assert (await host.ask("GET", "/v1/stream")).json["error"] == "revoked"

    asyncio.run(revoked())


def test_a_host_has_one_stream(registry: RegistryProcess) -> None:
    """A second takes the place of the first, which may be one that nobody reads any more."""
    host = enrolled(registry)

    async def twice() -> None:
        async with host.stream() as stream, host.stream() as second:
            async with asyncio.timeout(WAIT_S):
                async for _ in stream.lines():
                    pass
            assert isinstance(await anext(second.lines()), TimestampLine)

    asyncio.run(twice())


def test_a_new_generation_is_told_and_followed(registry: RegistryProcess) -> None:
    """Hosts take the new root, then a snapshot of it, while the stream goes on; the registry need not be started anew."""
    host = enrolled(registry)

    async def renewed() -> None:
        async with host.stream() as stream:
            lines = host.listen(stream)
            await anext(lines)
            await do(registry, "from registry.publishing import keys\nkeys.new_generation(timezone.now())")
            await first(lines, RootLine)
            await first(lines, VersionLine)

    asyncio.run(renewed())
    assert host.held.generation == host.held.root.generation == 2


@pytest.mark.django_db(transaction=True)
def test_a_client_that_does_not_read_is_let_go(tmp_path: Path) -> None:
    """What waits for it is bounded: then its stream is ended, and the others never waited for it."""
    keys.ensure(timezone.now(), folder=tmp_path)
    held = keys.load(tmp_path)
    client = ProtocolHost(0, "slow")
    registered.host(registered.school(), client.name, public_key=client.key.public, enrolled_at=timezone.now())

    async def streamed() -> int:
        quick, slow = DatabaseThreads("quick", 1), DatabaseThreads("slow", 1)
        deltas = DeltaStore(held.signing)
        hub = Hub(quick, deltas, held.signing)
        api = Api(Services(held, deltas, SnapshotStore(tmp_path, held.signing)), hub, quick, slow)
        begun = asyncio.Event()

        async def receive() -> Message:
            if not begun.is_set():
                return {"type": "http.request", "body": b"", "more_body": False}
            await asyncio.Event().wait()
            raise AssertionError

        async def send(message: Message) -> None:
            if message["type"] == "http.response.body":
                await asyncio.Event().wait()  # nothing more is taken
            begun.set()

        headers = client.signed("GET", "/v1/stream")
        scope: Scope = {
            "type": "http",
            "method": "GET",
            "path": "/v1/stream",
            "raw_path": b"/v1/stream",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
        }
        stream = asyncio.create_task(api(scope, receive, send))
        async with asyncio.timeout(WAIT_S):
            await begun.wait()
            await asyncio.sleep(0.1)
            assert hub.count == 1
            for _ in range(100):
                hub._to_school(school_id, b"{}\n")
            await stream
        await quick.run(lambda: connection.close())  # noqa: PLW0108  the connection is that of the thread where it is named
        quick.close()
        slow.close()
        return hub.count

    school_id = School.objects.get().pk
    assert asyncio.run(streamed()) == 0


def _bell_has_ended() -> None:
    for thread in threading.enumerate():
        if thread.name == "bell":
            thread.join(WAIT_S)


def _open_databases(pid: int) -> int:
    return sum(file.readlink().name == "registry.db" for file in Path(f"/proc/{pid}/fd").iterdir())


@pytest.mark.django_db(transaction=True)
def test_a_bell_that_was_cut_off_is_heard_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What is published while nobody hears it is told as soon as it is heard again, long before the next heartbeat."""
    if connection.vendor != "postgresql":
        pytest.skip("a file is not cut off")
    keys.ensure(timezone.now(), folder=tmp_path)
    held = keys.load(tmp_path)
    school = registered.school()
    documents_changed(school)

    def cut_off() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND query LIKE 'LISTEN%%'"
            )
            assert cursor.rowcount == 1
        SiteState.objects.update(
            version=5
        )  # a version that nobody rang for, and whose changes are not held: all is told

    async def heard() -> Line | None:
        quick = DatabaseThreads("quick", 1)
        hub = Hub(quick, DeltaStore(held.signing), held.signing, heartbeat_s=3600)
        running = asyncio.create_task(hub.run())
        host = Subscriber(1, "h", school.pk)
        async with hub.subscribed(host):
            await host.next_line()
            await host.next_line()  # of names
            await asyncio.sleep(0.6)  # what it looks for after a greeting is over
            await quick.run(cut_off)
            async with asyncio.timeout(WAIT_S):
                line = await host.next_line()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await quick.run(lambda: connection.close())  # noqa: PLW0108  the connection is that of the thread where it is named
        quick.close()
        await asyncio.to_thread(_bell_has_ended)
        return parse_line(line)

    assert isinstance(asyncio.run(heard()), DeltaLine | VersionLine)
    assert "the bell cannot be heard" in caplog.text


@pytest.mark.django_db(transaction=True)
def test_whatever_fails_hosts_are_told_afterwards(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A fault that is not the database's ends neither the heartbeat nor what waits for the bell."""
    keys.ensure(timezone.now(), folder=tmp_path)
    held = keys.load(tmp_path)
    school = registered.school()
    documents_changed(school)
    calls = count()

    def now() -> datetime:
        if next(calls) == 1:  # the first is the greeting's
            raise ValueError("a clock that fails once")
        return timezone.now()

    async def heard() -> None:
        quick = DatabaseThreads("quick", 1)
        hub = Hub(quick, DeltaStore(held.signing), held.signing, now=now, heartbeat_s=0.05)
        running = asyncio.create_task(hub.run())
        host = Subscriber(1, "h", school.pk)
        async with hub.subscribed(host), asyncio.timeout(WAIT_S):
            await host.next_line()
            await host.next_line()
        assert not running.done()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await quick.run(lambda: connection.close())  # noqa: PLW0108  the connection is that of the thread where it is named
        quick.close()
        await asyncio.to_thread(_bell_has_ended)

    asyncio.run(heard())
    assert "it is tried again" in caplog.text


def test_no_connection_to_the_database_waits_with_a_host(registry: RegistryProcess) -> None:
    """A hundred streams cost files and a little memory, not a hundred connections."""
    host = enrolled(registry)
    keys = [ProtocolHost(registry.port, f"many-{n}") for n in range(100)]
    told = [(each.name, each.key.public.hex()) for each in keys]
    registry.do(
        "school = School.objects.get()\n"
        f"for name, key in {told!r}: Host.objects.create(school=school, name=name, public_key=bytes.fromhex(key))"
    )
    for each in keys:
        each.trusted, each.site_key = host.trusted, host.site_key

    async def open_connections() -> int:
        ready = asyncio.Semaphore(0)
        over = asyncio.Event()

        async def hold(each: ProtocolHost) -> None:
            async with each.stream() as stream:
                await anext(stream.lines())
                ready.release()
                await over.wait()

        holding = [asyncio.create_task(hold(each)) for each in keys]
        for _ in keys:
            await ready.acquire()
        if os.environ.get(VARIABLE):
            found = int(await do(registry, _COUNT))
        else:
            found = await asyncio.to_thread(_open_databases, registry.pid)
        over.set()
        await asyncio.gather(*holding)
        return found

    assert asyncio.run(open_connections()) < 20


def test_a_stream_tells_nothing_before_its_greeting_and_no_more_than_fits() -> None:
    """What was published before the greeting is in it; a queue that is full ends the stream."""

    async def told() -> tuple[bytes, bool, list[str]]:
        ended: list[str] = []
        subscriber = Subscriber(1, "h", 1)
        subscriber.on_end(lambda: ended.append("end"))
        subscriber.tell(b"too early")
        subscriber.is_greeted = True
        for number in range(64):
            subscriber.tell(str(number).encode())
        assert not ended
        subscriber.tell(b"too much")
        return await subscriber.next_line(), subscriber.is_orderly, ended

    assert asyncio.run(told()) == (b"0", False, ["end"])
