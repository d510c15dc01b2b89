"""A verified delta into a million cards, durable: what a closed card costs a host, over a raw write of the same disk."""

import shutil
from pathlib import Path
from time import perf_counter_ns
from typing import Final

from bench import site
from bench.figure import RATIO, Figure, Timed, p50
from bench.floor import RawDisk
from bench.plan import Plan
from sync.link.snapshot_file import SnapshotFile
from sync.published import FETCHED, PublishedCache
from sync.wire import delta as deltas
from sync.wire import document, trust
from sync.wire.pace import Paced
from sync.wire.trust import Trusted

NAME: Final = "delta"
CARDS: Final = 1_000_000
GOAL: Final = 2.0
SIZES: Final = (1, 100, 10_000)
BLOCK: Final = 20


def measure(plan: Plan) -> list[Figure]:
    """Apply deltas of 1, 100 and 10,000 rows, blocks of one-row deltas in turn with blocks of raw writes."""
    (cards,) = plan.sizes((CARDS,))
    state_dir = plan.folder / NAME
    shutil.rmtree(state_dir, ignore_errors=True)
    state_dir.mkdir(parents=True)
    cache, trusted = first_synced(plan, cards, state_dir)
    figures: list[Figure] = []
    next_card = 0
    with RawDisk(state_dir) as raw:
        for rows in SIZES:
            raws: Timed = []
            whole: Timed = []
            durable: Timed = []
            blocks, in_block = (10, BLOCK) if rows < max(SIZES) else (3, 1)
            for _ in range(blocks):
                raws += raw.block(in_block)
                for _ in range(in_block):
                    told = site.closing(range(next_card, next_card + rows), trusted)
                    next_card += rows
                    began = perf_counter_ns()
                    header, opened = document.open_bytes(told, trusted.root)
                    trusted = trust.admit(trusted, header, site.ISSUED)
                    change = deltas.decode(opened)
                    verified = perf_counter_ns()
                    cache.apply(header, change)
                    ended = perf_counter_ns()
                    whole.append(ended - began)
                    durable.append(ended - verified)
                cache.tend()
            figures += [
                Figure(NAME, f"{rows} rows, verified and durable, p50", p50(whole) / 1e6, "ms"),
                Figure(NAME, f"{rows} rows, verified and durable ÷ raw write, p50", p50(whole) / p50(raws), RATIO),
                Figure(
                    NAME,
                    f"{rows} rows, applied durably ÷ raw write, p50",
                    p50(durable) / p50(raws),
                    RATIO,
                    GOAL if rows == 1 else None,
                ),
            ]
    cache.close()
    return figures


def first_synced(plan: Plan, cards: int, state_dir: Path) -> tuple[PublishedCache, Trusted]:
    """Open a signed snapshot, verify it and let it serve in `state_dir`: all that a first sync does after the network."""
    published = site.published(plan, cards)
    trusted = site.trusted_nothing()
    cache = PublishedCache(state_dir)
    with published.path.open("rb") as source:
        header = document.verified(document.read_envelope(source.read), trusted.root)
        trusted = trust.admit(trusted, header, site.ISSUED)
        with SnapshotFile(state_dir / FETCHED, header.raw_bytes) as file:
            document.open_body(header, Paced(source.read), file.write)
            file.finish()
            cache.install(file.path, header, site.KEY.fingerprint, lambda: None)
    return cache, trusted
