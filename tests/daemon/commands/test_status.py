"""`viipe status`, as a user types it."""

import json

from daemon.clock import boot, boot_ms
from sync import site_key
from tests.rig.host_rig import GOOD, HostRig, door_and_till
from tests.rig.ifd import EventIfd
from tests.rig.people import NAMES, lay_people
from tests.rig.published_site import PublishedSite
from tests.rig.told_link import tell


def test_a_healthy_host_in_words(host: HostRig, ifd: EventIfd) -> None:
    """Readers, outputs, cards, journal and clock have a line each; all is well, so the exit code is 0."""
    host.tap(lambda: ifd.insert(0, GOOD))
    told = host.viipe("status")
    assert (told.returncode, told.stderr) == (0, "")
    lines = told.stdout.splitlines()
    assert lines[0].startswith("trial: running for ")
    starts = [
        "reader front-in (door): reading; last tap 0 s ago",
        "reader till-1 (canteen): reading; no tap yet",
        "output strike: in order",
        "cards: 10, version 1, of 20",
        "rules: of the host's own file",
        "journal: epoch ",
        "clock: 20",
    ]
    assert all(line.startswith(start) for line, start in zip(lines[1:], starts, strict=True)) or "last tap" in lines[1]


def test_a_machine_reads_json(host: HostRig) -> None:
    """All of it is one object, and tells of no card or person."""
    told = host.viipe("status", "--json")
    table = json.loads(told.stdout)
    assert told.returncode == 0
    assert set(table) >= {"host", "headline", "pid", "uptime_s", "readers", "outputs", "cards", "journal", "clock"}
    assert table["cards"]["cards"] == 10
    assert {each["state"] for each in table["readers"]} == {"reading"}
    assert all(each["last_success_s_ago"] <= 3 for each in table["readers"])
    assert "THG" not in told.stdout


def test_a_lost_reader_is_a_fault(host: HostRig, ifd: EventIfd) -> None:
    """While a reader is away the exit code is 1, and it is said which and why."""
    lost = len(host.events("reader_lost"))
    ifd.kill()
    host.wait_event("reader_lost", lost + 2)
    told = host.viipe("status")
    ifd.start()
    host.wait_until(host.reads, "the readers")
    assert told.returncode == 1
    assert "reader front-in (pcsc, door): lost: " in told.stdout


def test_no_daemon_is_a_sentence(idle: HostRig) -> None:
    """When none runs, that is said on standard error, with 1."""
    told = idle.viipe("status")
    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.startswith(f"viipe status: no daemon answers at {idle.state_dir}")


def test_a_host_without_cards_says_how_to_feed_it(idle: HostRig) -> None:
    """On the first day there are none, and it is said what to do."""
    idle.start()
    told = idle.viipe("status")
    idle.stop()
    assert "cards: none; feed them with `viipe cards import`" in told.stdout


def test_a_host_of_a_registry_says_how_that_is(idle: HostRig, ifd: EventIfd) -> None:
    """Whose rules serve, when the registry was heard, what is not uploaded, and the link's fault: none of it makes the host faulty."""
    idle.write(door_and_till(ifd.names) + '\n[registry]\nurl = "http://127.0.0.1:9"\n')
    site = PublishedSite(idle.state_dir, site_key.load_or_make(idle.state_dir), {})
    tell(idle.state_dir, heard_boot_ms=boot_ms(), boot_id=boot().boot_id, fault="the certificate has expired")
    idle.start()
    told = idle.viipe("status")
    site.close()
    assert (told.returncode, told.stderr) == (0, "")
    assert "rules: the registry's, version 1" in told.stdout.splitlines()
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("registry: ")]
    assert line.startswith("registry: last heard ")
    assert line.endswith("events not uploaded; the certificate has expired")


def test_a_host_that_shows_names_says_how_many(idle: HostRig, ifd: EventIfd) -> None:
    """And never which; a host that shows none says nothing of it."""
    idle.write(door_and_till(ifd.names) + '\n[registry]\nurl = "http://127.0.0.1:9"\n')
    idle.start()
    assert "names" not in idle.viipe("status").stdout
    assert json.loads(idle.viipe("status", "--json").stdout)["people"] is None
    lay_people(idle.state_dir, version=3)
    told, machine, doctor = idle.viipe("status"), idle.viipe("status", "--json"), idle.viipe("doctor")
    (line,) = [line for line in told.stdout.splitlines() if line.startswith("names ")]
    assert line.startswith("names (canteen): 6 persons, 5 photos, version 3, asked ")
    assert json.loads(machine.stdout)["people"]["version"] == 3
    assert "6 persons, 5 photos, version 3" in doctor.stdout
    for said in (told.stdout, machine.stdout, doctor.stdout, told.stderr):
        assert all(family not in said for _, _, family, _ in NAMES)


def test_a_host_that_speaks_with_neighbours_says_how_each_is(idle: HostRig, ifd: EventIfd) -> None:
    """One that is missing is never passed over, in words, for a machine and by the doctor; none of it makes the host faulty."""
    tables = '\n[registry]\nurl = "http://127.0.0.1:9"\n[neighbours]\nlisten = "127.0.0.1:9"\n'
    idle.write(door_and_till(ifd.names) + tables)
    there = {"name": "till-2", "address": "10.1.2.3:8441", "reachable": True, "heard_at": None, "fault": None}
    away = {**there, "name": "till-3", "address": "10.1.2.4:8441", "reachable": False, "fault": "no answer in time"}
    idle.start()
    assert "neighbours: none known" in idle.viipe("status").stdout
    tell(idle.state_dir, neighbours=[there, away])
    idle.wait_until(lambda: len(idle.status()["neighbours"]) == 2, "the report")
    told, doctor = idle.viipe("status"), idle.viipe("doctor")
    assert (told.returncode, told.stderr) == (0, "")
    assert "neighbour till-2: answers at 10.1.2.3:8441, never heard" in told.stdout.splitlines()
    assert "neighbour till-3: away: no answer in time; never heard" in told.stdout.splitlines()
    machine = json.loads(idle.viipe("status", "--json").stdout)["neighbours"]
    assert [(each["name"], each["reachable"], each["heard_s_ago"]) for each in machine] == [
        ("till-2", True, None),
        ("till-3", False, None),
    ]
    assert "neighbour till-3" in doctor.stdout
    assert "docs/neighbours.md" in doctor.stdout
