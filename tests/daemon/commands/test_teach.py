"""`viipe teach`, as a user types it, with one known card held to a reader on a serial line or to an NFC chip."""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serial import Serial

from config import host as host_file
from config.finding import ConfigError
from daemon.commands.teach import write_keys
from policy.uid import UidForm
from tests.rig.host_rig import HostRig
from tests.rig.pn532 import FieldCard, Pn532
from tests.rig.serial_line import SerialLine

KNOWN = "EBF2CE70"
RULES = '\n[service.canteen]\nkinds = ["personal"]  # as the school decided\n'
HELD = "EBF2CE70,1,,personal,active,,,\n01F2CE70,2,,personal,active,,,\n04A1B2C3D4E5F6,3,,personal,active,,,\n"


def table(path: Path) -> str:
    """Return a serial reader as somebody wrote it by guess."""
    return (
        f'# the old till\n[[reader]]\nname = "till-1"\nkind = "serial"\nport = "{path}"  # on the left\n'
        'format = "line"\nnotation = "hex"\nlength = 8\nservice = "canteen"\n' + RULES
    )


@pytest.fixture
def line(tmp_path: Path) -> Iterator[SerialLine]:
    """Give a plugged serial line."""
    with SerialLine(tmp_path / "reader") as made:
        yield made


def taught(host: HostRig, put: Callable[[], object], *more: str) -> subprocess.CompletedProcess[str]:
    """Run the command while a card is held to the reader again and again."""
    done = threading.Event()

    def hold() -> None:
        while not done.wait(0.4):
            put()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        return host.viipe("teach", "--reader", "till-1", "--uid", KNOWN, "--timeout-s", "10", *more)
    finally:
        done.set()
        holder.join()


def test_a_line_is_taken_apart_and_written(line: SerialLine) -> None:
    """Prefix, notation, length, suffix and form stand in the file, all comments too, and it loads."""
    with HostRig({}, table(line.path)) as host:
        before = host.config.read_text()
        told = taught(host, lambda: line.write(b"U:1892610795;"))
        assert told.returncode == 0, told.stderr
        assert "systemctl reload viipe" in told.stdout
        text = host.config.read_text()
        (reader,) = host_file.load(host.config).readers
        assert (reader.format, reader.notation, reader.prefix, reader.suffix) == ("line", "decimal", b"U:", b";")
        assert reader.uid_form is UidForm.DECIMAL_REVERSED
        kept = [each for each in before.splitlines() if "#" in each]
        assert [each for each in text.splitlines() if "#" in each] == kept
        assert KNOWN not in told.stdout + told.stderr + text


def test_a_modules_frames_are_known(line: SerialLine) -> None:
    """What an RDM6300 writes makes the format em4100, and what described a line goes."""
    with HostRig({}, table(line.path)) as host:
        told = taught(host, lambda: line.write(b"\x0233EBF2CE7094\x03"))
        assert told.returncode == 0, told.stderr
        (reader,) = host_file.load(host.config).readers
        assert (reader.format, reader.notation, reader.uid_form) == ("em4100", None, UidForm.AS_SENT)


def test_a_form_that_loses_bits_is_named_and_not_written(line: SerialLine) -> None:
    """It says how many bits are lost and how many of the cards that are held would look like another."""
    with HostRig({}, table(line.path)) as host:
        cards = host.folder / "cards.csv"
        cards.write_text("uid,card,person,kind,state,valid_from,valid_until,groups\n" + HELD)
        before = host.config.read_text()
        told = taught(host, lambda: line.write(b"242,52848\r\n"), "--cards", str(cards))
        assert told.returncode == 1
        assert "wiegand_26, which loses 8 bits" in told.stderr
        assert "of 3 cards 2 would look like another, 1 like this one" in told.stderr
        assert host.config.read_text() == before


def test_the_like_of_a_card_is_counted_in_what_the_host_holds(line: SerialLine) -> None:
    """Without a cards file: how many held cards would look like this one, or that none are held yet."""
    with HostRig({}, table(line.path)) as host:
        told = taught(host, lambda: line.write(b"242,52848\r\n"))
        assert "cannot be read" in told.stderr  # nothing was fed: there is no key
        host.feed(HELD)
        told = taught(host, lambda: line.write(b"242,52848\r\n"))
        assert told.returncode == 1
        assert "of the 3 cards that this host holds 1 of 4 bytes would look like this one" in told.stderr


def test_another_card_teaches_nothing(line: SerialLine) -> None:
    """What cannot be the known card leaves the file as it is, and is said without a UID."""
    with HostRig({}, table(line.path)) as host:
        before = host.config.read_text()
        told = taught(host, lambda: line.write(b"U:123456789;"))
        assert (told.returncode, host.config.read_text()) == (1, before)
        assert "was another card held to it?" in told.stderr


def test_an_nfc_chip_teaches_its_form(tmp_path: Path) -> None:
    """One presentation is enough: the chip's bytes are the UID as it is sent."""
    path = tmp_path / "pn532"
    text = (
        f'[[reader]]\nname = "till-1"\nkind = "nfc"\ndevice = "tty:{path}:pn532"\nservice = "canteen"\nabsent_ms = 50\n'
    )
    with Pn532(path) as chip, HostRig({}, text + RULES) as host:

        def put() -> None:
            chip.cards = ()
            time.sleep(0.3)
            chip.cards = (FieldCard(bytes.fromhex(KNOWN)),)

        told = taught(host, put)
        assert told.returncode == 0, told.stderr
        assert 'uid_form = "as_sent"' in host.config.read_text()


def test_bad_words_are_told(line: SerialLine) -> None:
    """A reader that the file does not name, and a UID that is none, end it before anything is read."""
    with HostRig({}, table(line.path)) as host:
        assert host.viipe("teach", "--reader", "till-9", "--uid", KNOWN).returncode == 64
        told = host.viipe("teach", "--reader", "till-1", "--uid", "EB")
        assert (told.returncode, "--uid: found 1 byte" in told.stderr) == (64, True)


def test_nothing_is_written_that_would_not_load(line: SerialLine) -> None:
    """Keys that do not go together leave the file untouched."""
    with HostRig({}, table(line.path)) as host:
        before = host.config.read_text()
        with pytest.raises(ConfigError):
            write_keys(host.config, "till-1", {"format": "em4100"})
        assert host.config.read_text() == before


def test_new_keys_stand_at_the_end_of_the_readers_own_lines(line: SerialLine) -> None:
    """A comment below a table is the next one's heading: it stays there, and so do empty lines; `lossy`, which is needed no more, goes."""
    with HostRig({}, "") as host:
        text = table(line.path).replace("length = 8\n", 'uid_form = "wiegand_26"\nlossy = true\n')
        host.write(text.replace(RULES, "\n\n# What is served where: ask Mari before you change it.\n" + RULES))
        told = taught(host, lambda: line.write(b"U:1892610795;"))
        assert told.returncode == 0, told.stderr
        _, _, below = host.config.read_text().partition('service = "canteen"\n')
        ours, heading, rest = below.partition("\n\n# What is served where: ask Mari before you change it.\n")
        assert sorted(ours.splitlines()) == ['prefix = "U:"', 'suffix = ";"']
        assert (heading != "", rest) == (True, RULES)
        assert "lossy" not in below


def test_a_line_that_the_daemon_has_is_said_to_be_its(line: SerialLine) -> None:
    """Whoever forgets to stop the daemon is told what to do, at a serial reader and at a chip."""
    with HostRig({}, table(line.path)) as host, Serial(str(line.path), exclusive=True):
        told = host.viipe("teach", "--reader", "till-1", "--uid", KNOWN, "--timeout-s", "2")
        assert (told.returncode, "systemctl stop viipe" in told.stderr) == (1, True), told.stderr
        chip = (
            table(line.path)
            .replace('"serial"', '"nfc"')
            .replace('port = "', 'device = "tty:')
            .replace('"  # on', ':pn532"  # on')
        )
        host.write(chip.replace('format = "line"\nnotation = "hex"\nlength = 8\n', ""))
        told = host.viipe("teach", "--reader", "till-1", "--uid", KNOWN, "--timeout-s", "5")
        assert (told.returncode, "systemctl stop viipe" in told.stderr) == (1, True), told.stderr
