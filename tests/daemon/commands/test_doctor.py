"""`viipe doctor`, as a user types it."""

import json

import pytest

from daemon.clock import SYNCED
from tests.rig.host_rig import HostRig, door_and_till
from tests.rig.ifd import EventIfd


def findings(host: HostRig) -> tuple[int, dict[str, dict[str, str]]]:
    """Return the exit code and the findings by check (the last of each)."""
    told = host.viipe("doctor", "--json")
    rows = [json.loads(line) for line in told.stdout.splitlines()]
    assert {frozenset(row) for row in rows} == {frozenset({"check", "level", "found", "mend"})}, told.stderr
    return told.returncode, {row["check"]: row for row in rows}


def test_a_healthy_host(host: HostRig) -> None:
    """All that can be well is well; nothing vouches for this machine's clock, which is a warning, and so the exit code."""
    code, found = findings(host)
    others = {row["level"] for check, row in found.items() if check not in {"clock", "disk"}}
    assert others == {"ok"}
    assert set(found) >= {"pcscd", "readers", "daemon", "reader front-in", "output strike", "cards", "journal"}
    worst = {"ok": 0, "warning": 1, "failure": 2}
    assert code == max(worst[row["level"]] for row in found.values())
    assert found["clock"]["level"] == ("ok" if SYNCED.exists() else "warning")


def test_words_with_remedies(idle: HostRig) -> None:
    """For a person each finding is a line, and each fault has its remedy below it; a failure is 2."""
    told = idle.viipe("doctor")
    assert told.returncode == 2
    assert "FAILURE  daemon: is not running\n         → start it: systemctl start viipe" in told.stdout
    assert "warning  cards: this host holds no cards" in told.stdout
    assert "ok       pcscd: answers" in told.stdout


def test_a_dead_pcscd_says_why(idle: HostRig, ifd: EventIfd) -> None:
    """No socket, and a socket where nobody answers, are told apart."""
    idle.environ["PCSCLITE_CSOCK_NAME"] = str(ifd.pcscd.folder / "none")
    assert "is missing: install pcscd" in findings(idle)[1]["pcscd"]["found"]
    ifd.kill()
    idle.environ["PCSCLITE_CSOCK_NAME"] = str(ifd.pcscd.socket_path)
    code, found = findings(idle)
    ifd.start()
    assert "nobody listens" in found["pcscd"]["found"]
    assert found["pcscd"]["mend"]
    assert code == 2


def test_a_lost_reader_is_a_failure(ifd: EventIfd) -> None:
    """A reader of the file that the daemon cannot find is named, with what to do."""
    with HostRig(ifd.environ(), door_and_till(("Nobody's*", ifd.names[1]))) as host:
        host.feed()
        host.start(readers=False)
        host.wait_event("reader_lost")
        code, found = findings(host)
    assert code == 2
    assert "no reader matches" in found["reader front-in"]["found"]
    assert found["reader front-in"]["mend"] == "compare `viipe readers` with the host's file"


@pytest.mark.parametrize(("name", "check"), [("journal.db", "journal"), ("cache-1.db", "cards")])
def test_damage_is_found(idle: HostRig, name: str, check: str) -> None:
    """A journal and a cache of garbage are failures, with a remedy."""
    idle.feed()
    (idle.state_dir / name).write_bytes(b"garbage " * 1000)
    code, found = findings(idle)
    assert (code, found[check]["level"]) == (2, "failure")
    assert found[check]["mend"]
