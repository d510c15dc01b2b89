"""Copies and the cloakroom end to end (V6.4, V6.5): a real registry, a real host with its link, virtual cards at virtual readers."""

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import registry
from tests.rig.host_rig import STRIKE, VIIPE, HostRig, reader
from tests.rig.ifd import EventIfd
from tests.rig.registry_process import RegistryProcess

pytestmark = pytest.mark.timeout(240)
SAMPLE = Path(registry.__file__).parent / "samples" / "viimsi.toml"
KATI = bytes.fromhex("1B2C3D4E")  # a pupil of the sample school, card VK-0001
EXPIRED = bytes.fromhex("04BB10203040F0")
COPIER, CLOAKROOM = 0, 1
GONE_S = 0.2  # longer than the readers' absent_ms: the same card is then another presentation
WITHIN_S = 20.0

_LEDGER = """
from registry.ledger import accounts
school = School.objects.get(code="viimsi")
person = Person.objects.get(external_id="V-2001")
print(accounts.balance_cents(accounts.of_person(school, person)), sum(cents for _, cents in accounts.totals(school)),
      Transfer.objects.filter(act="charge").count(), Transfer.objects.filter(is_offline=True).count(), Hold.objects.count())
"""


@contextmanager
def linked(host: HostRig) -> Iterator[None]:
    """Run the host's link while the block lasts."""
    with host.log_path.open("ab") as log:
        link = subprocess.Popen([VIIPE, "link", "--config", host.config], env=host.environ, stderr=log)
    try:
        yield
    finally:
        link.send_signal(signal.SIGTERM)
        link.wait(WITHIN_S)


@pytest.fixture(scope="module")
def ifd() -> Iterator[EventIfd]:
    """Give a pcscd with a copying machine's reader and a cloakroom's."""
    with EventIfd(readers=2) as rig:
        yield rig


@pytest.fixture
def school(tmp_path: Path) -> Iterator[RegistryProcess]:
    """Give a registry of the sample school whose copies cost thirty cents, and may cost sixty a day without it."""
    text = SAMPLE.read_text(encoding="utf-8").replace("price_cents = 5", "price_cents = 30")
    text = text.replace("offline_allowance_cents = 100", "offline_allowance_cents = 60")
    file = tmp_path / "viimsi.toml"
    file.write_text(text, encoding="utf-8")
    with RegistryProcess() as serving:
        serving.command("import", str(file), "--apply")
        yield serving


@contextmanager
def enrolled(ifd: EventIfd, school: RegistryProcess) -> Iterator[HostRig]:
    """Give a host of the school's that runs, linked and fed."""
    tables = (
        reader("copier", ifd.names[COPIER], "copies", 'outputs = ["strike"]\n')
        + reader("cloakroom-door", ifd.names[CLOAKROOM], "cloakroom", 'outputs = ["strike"]\n')
        + STRIKE
        + f'\n[registry]\nurl = "{school.url}"\nquota_deadline_ms = 2000\n'
        + '\n[service.copies]\nkinds = ["staff"]\n\n[service.cloakroom]\nkinds = ["staff"]\n'
    )
    with HostRig(ifd.environ(), tables) as host:
        code = school.command("enrol-code", "trial", "--school", "viimsi").splitlines()[0]
        done = host.viipe("enrol", school.url, code)
        assert done.returncode == 0, done.stderr
        host.start()
        with linked(host):
            host.wait_until(lambda: (host.status()["rules"] or {}).get("of") == "registry", "the registry's rules", 30)
            yield host


def tapped(host: HostRig, ifd: EventIfd, place: int, uid: bytes) -> tuple[str, str, list[str]]:
    """Hold a card to a reader for a moment; return the answer. That nobody vouches for this machine's clock is beside the matter."""
    event = host.tap(lambda: ifd.insert(place, uid))
    ifd.remove(place)
    time.sleep(GONE_S)
    flags = [flag for flag in event["flags"] if flag != "clock_unsynced"]
    return event["verdict"], event["reason"], flags


def top_up(school: RegistryProcess, folder: Path, reference: str, amount: str) -> None:
    """Book a payment of the pupil's by the operator's file."""
    day = school.do("print(timezone.localdate())").strip()
    file = folder / "maksed.csv"
    file.write_text(f"reference;external_id;amount;date\n{reference};V-2001;{amount};{day}\n", encoding="utf-8")
    assert school.command("topups", "import", str(file), "--school", "viimsi").endswith("1 booked\n")


def ledger(school: RegistryProcess) -> tuple[int, ...]:
    """Return the pupil's balance, the sum of all accounts, how many charges, how many of them offline, how many amounts held."""
    return tuple(map(int, school.do(_LEDGER).split()))


def wait_for(school: RegistryProcess, expected: tuple[int, ...]) -> None:
    """Wait until the ledger is so."""
    until = time.monotonic() + WITHIN_S
    while (found := ledger(school)) != expected:
        assert time.monotonic() < until, f"found {found}, expected {expected}"
        time.sleep(0.2)


def test_V6_5_copies_are_paid_from_the_account(ifd: EventIfd, school: RegistryProcess, tmp_path: Path) -> None:
    """A euro is three copies; the registry gone, the host's own allowance is two; back, the ledger adds up and is below zero, said so."""
    top_up(school, tmp_path, "R1", "1,00")
    with enrolled(ifd, school) as host:
        answers = [tapped(host, ifd, COPIER, KATI) for _ in range(4)]
        assert answers == [("grant", "ok", [])] * 3 + [("deny", "no_credit", [])]
        wait_for(school, (10, 0, 3, 0, 0))
        assert host.strikes() == 3
        school.stop()
        cut_off = [tapped(host, ifd, COPIER, KATI) for _ in range(3)]
        charged = ("grant", "ok", ["quota_unknown", "charged_offline"])
        assert cut_off == [charged, charged, ("deny", "quota_unknown", ["quota_unknown"])]
        school.start()
        wait_for(school, (-50, 0, 5, 2, 0))
        host.wait_until(lambda: tapped(host, ifd, COPIER, KATI)[1] == "no_credit", "the registry's answer", 30)
        top_up(school, tmp_path, "R2", "1")
        assert tapped(host, ifd, COPIER, KATI) == ("grant", "ok", [])
        wait_for(school, (20, 0, 6, 2, 0))


def test_V1_4_V6_4_the_cloakroom_is_a_door_with_its_own_rule(ifd: EventIfd, school: RegistryProcess) -> None:
    """Published by the registry, it opens for an active card alone; an empty account keeps nobody from the coat."""
    with enrolled(ifd, school) as host:
        assert tapped(host, ifd, CLOAKROOM, KATI) == ("grant", "ok", [])
        assert tapped(host, ifd, CLOAKROOM, EXPIRED)[:2] == ("deny", "expired")
        assert tapped(host, ifd, COPIER, KATI)[:2] == ("deny", "no_credit")
        host.wait_event("outcome")
        assert [event["outcome"] for event in host.events("outcome")] == ["done"]
        assert host.strikes() == 1
