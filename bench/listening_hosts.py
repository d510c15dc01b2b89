"""Many hosts in one process, each connected to a registry and with a cache file of its own: `python -m bench.listening_hosts …`.

They verify and apply each delta durably as `viipe link` does, and print a line for each: the boot-time clock when it was durable.
"""

import asyncio
import hashlib
import json
import shutil
import sys
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import Final

from readers.reader import now_ns
from sync import published
from sync.published import FETCHED, PublishedCache
from sync.wire import delta as deltas
from sync.wire import document, root, snapshot, trust
from sync.wire.document import Header
from sync.wire.keys import SigningKey
from sync.wire.trust import Trusted
from tests.rig.protocol_host import ProtocolHost, ask

LOG_BYTES: Final = 64 << 10  # of a host's laid log: some deltas, where a host has room for a thousand
CONNECTING_AT_ONCE: Final = 50


def host_key(number: int) -> SigningKey:
    """Return the key of the host with this number: the registry is told of it beforehand, instead of a thousand enrolments."""
    return SigningKey.from_bytes(hashlib.sha256(f"bench host {number}".encode()).digest())


class ListeningHost(ProtocolHost):
    """A host that keeps what it is told in a cache file."""

    cache: PublishedCache

    def take_delta(self, content: bytes) -> None:
        """Verify a delta and apply it durably; tell when."""
        header, raw = document.open_bytes(content, self.held.root)
        after = trust.admit(self.held, header, header.issued_at)
        self.cache.apply(header, deltas.decode(raw))
        self.trusted = after
        print(now_ns(), flush=True)


async def listen(port: int, first: int, count: int, folder: Path) -> None:
    """Bring the hosts up, say so, and listen until ended."""
    documents = [b64decode(each) for each in (await ask(port, "GET", "/v1/root?after=0", {})).json]
    newest = root.chain(documents, root.read_unverified(documents[0]).fingerprint)
    header, raw = _opened(await _snapshot(port, first), newest, folder)
    hosts = []
    for number in range(first, first + count):
        host = ListeningHost(port, f"bench-{number}", key=host_key(number))
        host.trusted = trust.admit(Trusted(header.audience, newest), header, header.issued_at)
        host.cache = _fed(folder / str(number), raw, header)
        hosts.append(host)
    places = asyncio.Semaphore(CONNECTING_AT_ONCE)
    connected = asyncio.Barrier(count + 1)
    tasks = [asyncio.create_task(_follow(host, places, connected)) for host in hosts]
    await connected.wait()
    print("listening", flush=True)
    await asyncio.gather(*tasks)


async def _follow(host: ListeningHost, places: asyncio.Semaphore, connected: asyncio.Barrier) -> None:
    async with places:
        streaming = host.stream()
        stream = await streaming.__aenter__()
        lines = host.listen(stream)
        await anext(lines)  # the greeting
    await connected.wait()
    async for _ in lines:
        pass


async def _snapshot(port: int, number: int) -> bytes:
    """Return the site's signed snapshot, as one of the hosts gets it."""
    reply = await ProtocolHost(port, f"bench-{number}", key=host_key(number)).ask("GET", "/v1/snapshot")
    return reply.body


def _opened(content: bytes, newest: root.Root, folder: Path) -> tuple[Header, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    raw = folder / "snapshot.db"
    source = BytesIO(content)
    header = document.verified(document.read_envelope(source.read), newest)
    with raw.open("wb") as sink:
        document.open_body(header, source.read, sink.write)
    return header, raw


def _fed(state_dir: Path, raw: Path, header: Header) -> PublishedCache:
    state_dir.mkdir(parents=True)
    cache = PublishedCache(state_dir)
    fetched = Path(shutil.copy(raw, state_dir / FETCHED))
    cache.install(fetched, header, snapshot.check(fetched).site_key, lambda: None)
    return cache


if __name__ == "__main__":
    told = json.loads(sys.argv[1])
    published.WAL_BYTES = LOG_BYTES  # type: ignore[attr-defined]  # a constant, but for this
    asyncio.run(listen(told["port"], told["first"], told["count"], Path(told["folder"])))
