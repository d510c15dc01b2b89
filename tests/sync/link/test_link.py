"""The link put together: one a state directory, killed at any moment, in step again."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from policy.model import State
from sync import current
from sync.cache_file import verify
from sync.link.faults import NotEnrolled
from sync.link.link import HANGS_AFTER_S, AlreadyRuns, Progress, only_link
from tests.rig.faulty_proxy import Fault, FaultyProxy
from tests.rig.linked import enrolled, held, open_journal, record, running, told, until
from tests.rig.small_registry import HOST, SmallRegistry, bare_row, uid

HOST_FILE = """\
[host]
name = "{host}"
timezone = "Europe/Tallinn"
state_dir = "{state_dir}"

[registry]
url = "{url}"
"""


def started(state_dir: Path, url: str) -> subprocess.Popen[bytes]:
    """Start `viipe link` as a process of its own."""
    path = state_dir.parent / "host.toml"
    path.write_text(HOST_FILE.format(host=HOST, state_dir=state_dir, url=url))
    command = [sys.executable, "-m", "daemon.cli", "--config", str(path), "link"]
    return subprocess.Popen(command, cwd=Path(__file__).parents[3], stderr=subprocess.DEVNULL)


def test_one_link_a_state_directory(tmp_path: Path) -> None:
    """Two would write one cache file: the second says who is there, and the lock goes with its holder."""
    held_lock = only_link(tmp_path)
    with pytest.raises(AlreadyRuns, match="another link works in"):
        only_link(tmp_path)
    os.close(held_lock)
    os.close(only_link(tmp_path))


def test_progress_tells_who_hangs() -> None:
    """A worker that shows nothing for longer than any bounded wait hangs."""
    now_s = [0.0]
    progress = Progress(lambda: now_s[0])
    fetch, upload = progress.of("fetch"), progress.of("upload")
    now_s[0] = HANGS_AFTER_S - 1
    fetch()
    assert progress.hanging() == []
    now_s[0] = HANGS_AFTER_S + 1
    assert progress.hanging() == ["upload"]
    upload()
    assert progress.hanging() == []


def test_a_host_that_was_renamed_says_so(tmp_path: Path) -> None:
    """The registry knows it under the name that it was enrolled with."""
    with SmallRegistry() as registry:
        host = enrolled(tmp_path / "state", registry)
        text = (host / "enrolment.json").read_text()
        (host / "enrolment.json").write_text(text.replace(HOST, "side-door"))
        with (
            pytest.raises(NotEnrolled, match=r'enrolled as "side-door", but .* is "main-hall"'),
            running(host, registry.url),
        ):
            pass


def test_a_link_that_stops_writes_its_log_back(tmp_path: Path) -> None:
    """A clean end leaves a cache file that is whole without its log."""
    with SmallRegistry() as registry:
        host = enrolled(tmp_path / "state", registry)
        with running(host, registry.url) as link:
            until(lambda: link.report.table()["held"] == 1 and registry._streams)
            registry.put(bare_row(registry.site_key, uid(1), state=State.CLOSED))
            until(lambda: link.report.table()["held"] == 2)
    assert [path.name for path in host.glob("cache-*")] == ["cache-1.db"]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [11, 12])
def test_killed_at_any_moment_nothing_is_lost_doubled_or_torn(tmp_path: Path, seed: int) -> None:
    """Kill -9 while snapshots, deltas and events are under way: what is held is whole each time, and in step in the end."""
    chance = random.Random(seed)  # noqa: S311  to be repeated, not secret
    with SmallRegistry(rows=50) as registry, FaultyProxy(("127.0.0.1", registry.port)) as proxy:
        host = enrolled(tmp_path / "state", registry)
        journal = open_journal(host)
        for turn in range(12):
            process = started(host, proxy.url)
            until_s = time.monotonic() + chance.uniform(0.3, 1.2)
            while time.monotonic() < until_s:
                number = chance.randrange(1, 60)
                registry.put(bare_row(registry.site_key, uid(number), state=State.CLOSED, number=number + turn))
                record(journal, 3)
                if chance.random() < 0.1:
                    proxy.cut_all()
                time.sleep(0.01)
            process.kill()
            process.wait()
            if serving := current.look(host).serving:
                assert verify(host / serving).version <= registry.site.version
        process = started(host, proxy.url)
        try:
            until(lambda: held(host) == (1, registry.site.version), f"{held(host)}, {registry.site.version}", 60)
            until(lambda: len(registry.taken) >= len(told(host)), "all events", 60)
        finally:
            process.kill()
            process.wait()
        journal.close()
        assert verify(host / str(current.look(host).serving)).digest == int(registry.site.digest, 16)
        assert [body for _, _, body in registry.taken] == told(host)
        assert registry.gaps == []


def test_sigterm_ends_it_within_five_seconds_while_the_registry_is_silent(tmp_path: Path) -> None:
    """Whoever stops the host waits for no network."""
    with SmallRegistry() as registry:
        host = enrolled(tmp_path / "state", registry)
        with FaultyProxy(("127.0.0.1", registry.port), faults=frozenset({Fault.SILENCE})) as proxy:
            process = started(host, proxy.url)
            until(lambda: len(proxy.made) >= 2, "both workers ask")
            begun_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0
            assert time.monotonic() - begun_s < 5
    assert not (host / "link.sock").exists()
