"""Pairing: a code once, for a while, and not by trying; a cookie until it is let go."""

import json
import stat
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from outputs.screen.pairing import ATTEMPTS, CODE_LENGTH, MOST_TABLETS, Pairing, write_private

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Give a clock."""
    return Clock()


@pytest.fixture
def pairing(tmp_path: Path, clock: Clock) -> Pairing:
    """Give the tablets of an empty folder."""
    return Pairing(tmp_path, clock)


def paired(pairing: Pairing, name: str = "söökla 2") -> str:
    """Pair a tablet; returns its cookie."""
    token = pairing.redeem(pairing.new_code(), name)
    assert token is not None
    return token


def test_a_code_pairs_one_tablet_and_its_cookie_knows_it(pairing: Pairing) -> None:
    """The same code does nothing a second time."""
    code = pairing.new_code()
    assert len(code) == CODE_LENGTH
    token = pairing.redeem(f" {code[:4].lower()}-{code[4:].lower()} ", "söökla 2")
    assert token is not None
    (tablet,) = pairing.tablets()
    assert (tablet.name, pairing.device_of(token)) == ("söökla 2", tablet.id)
    assert pairing.redeem(code, "another") is None
    assert pairing.device_of("guessed") is None


def test_a_code_is_good_for_ten_minutes(pairing: Pairing, clock: Clock) -> None:
    """One that was left lying opens nothing."""
    code = pairing.new_code()
    clock.now = NOW + timedelta(minutes=10, seconds=1)
    assert pairing.redeem(code, "late") is None
    clock.now = NOW + timedelta(minutes=10)
    assert pairing.redeem(code, "in time") is not None


def test_a_new_code_ends_the_former(pairing: Pairing) -> None:
    """There is one at a time."""
    former = pairing.new_code()
    assert pairing.new_code() != former
    assert pairing.redeem(former, "x") is None


def test_after_some_wrong_tries_the_code_is_none_any_more(pairing: Pairing) -> None:
    """Nobody finds it by trying, however fast."""
    code = pairing.new_code()
    for _ in range(ATTEMPTS):
        assert pairing.redeem("WRONGWRO", "x") is None
    assert pairing.redeem(code, "x") is None


def test_a_wrong_try_of_somebody_else_leaves_the_right_one(pairing: Pairing) -> None:
    """One slip is forgiven."""
    code = pairing.new_code()
    assert pairing.redeem("", "x") is None
    assert pairing.redeem(code, "x") is not None


def test_a_tablet_that_is_let_go_is_known_no_more(pairing: Pairing, tmp_path: Path) -> None:
    """At once, also to a process that has known it; the others stay."""
    gone, stays = paired(pairing, "gone"), paired(pairing, "stays")
    other = Pairing(tmp_path)
    assert other.device_of(gone) is not None
    (id_,) = [each.id for each in pairing.tablets() if each.name == "gone"]
    assert pairing.revoke(id_)
    assert not pairing.revoke(id_)
    assert other.device_of(gone) is None
    assert other.device_of(stays) is not None


def test_there_are_so_many_tablets_and_no_more(pairing: Pairing) -> None:
    """A list that nobody looks through is none."""
    for number in range(MOST_TABLETS):
        paired(pairing, str(number))
    assert pairing.redeem(pairing.new_code(), "one more") is None


def test_what_is_kept_is_its_owners_and_holds_no_cookie(pairing: Pairing, tmp_path: Path) -> None:
    """Whoever reads the file cannot come in by it."""
    code = pairing.new_code()
    token = pairing.redeem(code, "\0x\n" + "y" * 100)
    later = pairing.new_code()
    text = (tmp_path / "tablets.json").read_text()
    assert stat.S_IMODE((tmp_path / "tablets.json").stat().st_mode) == 0o600
    assert not [secret for secret in (code, token, later) if str(secret) in text]
    assert pairing.tablets()[0].name == "x" + "y" * 39


@pytest.mark.parametrize("content", ["", "[]", '{"tablets": [{}], "code": null}', '{"tablets": 1}'])
def test_a_spoilt_file_holds_nobody_and_is_written_anew(pairing: Pairing, tmp_path: Path, content: str) -> None:
    """No tablet gets in by damage; pairing works on."""
    (tmp_path / "tablets.json").write_text(content)
    assert pairing.device_of("x") is None
    assert list(pairing.tablets()) == []
    assert pairing.device_of(paired(pairing)) is not None


def test_two_who_try_one_code_at_once_pair_one_tablet(pairing: Pairing, tmp_path: Path) -> None:
    """The command line and the pages write one after another."""
    code = pairing.new_code()
    tokens: list[str | None] = []
    tries = [
        threading.Thread(target=lambda: tokens.append(Pairing(tmp_path, lambda: NOW).redeem(code, "x")))
        for _ in range(8)
    ]
    for each in tries:
        each.start()
    for each in tries:
        each.join()
    assert len([token for token in tokens if token]) == 1
    assert len(json.loads((tmp_path / "tablets.json").read_text())["tablets"]) == 1


def test_a_private_file_is_replaced_whole(tmp_path: Path) -> None:
    """What a crash left beside it does not stand in the way."""
    path = tmp_path / "key.pem"
    (tmp_path / ".key.pem.new").write_text("half")
    write_private(path, b"whole")
    assert path.read_bytes() == b"whole"
    assert [each.name for each in tmp_path.iterdir()] == ["key.pem"]
