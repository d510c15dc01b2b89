"""The process in which nfcpy runs: it keeps one device open, looks for cards, and says what it sees (`readers.nfc_words`).

nfcpy hangs, breaks and leaks in ways of its own, so it lives alone: whatever goes wrong here ends this process, and its
parent (`readers.nfc`) begins another. The device is opened once and kept (nfcpy#154, #203, #243: many work once, then
are gone). `sense` is used, never `connect`: a chip that falls silent raises in the one and looks like an empty field
in the other. The process ends when its parent does, which it sees at its standard input.
"""

import os
import select
import sys
from collections.abc import Callable
from typing import Any, Final

import nfc.clf  # type: ignore[import-untyped]
import nfc.clf.transport  # type: ignore[import-untyped]

from readers.nfc_device import NfcDevice, parse_device
from readers.nfc_words import Kind, Word, encode
from readers.reader import now_ns

PAUSE_S: Final = 0.02  # between two looks at an empty field
PAUSE_WITH_CARD_S: Final = 0.05
BEAT_NS: Final = 500_000_000  # at least so often it is said that looks succeed
ERRORS_IN_A_ROW: Final = 5  # a card at the edge of the field breaks a look or two; a broken chip breaks all
UID_LENGTHS: Final = {"A": (4, 7, 10), "B": (4,), "F": (8,)}


def open_device(device: NfcDevice) -> Any:  # noqa: ANN401  nfcpy has no types
    """Open the device and return nfcpy's frontend; raises what nfcpy raises.

    A serial line is opened by hand: nfcpy's own search takes no path but /dev/tty and a letter or two, and would find
    no reader that a udev rule gave a lasting name.
    """
    if device.tty_path is None:
        return nfc.clf.ContactlessFrontend(device.name)
    driver = _driver(device.tty_driver)
    opened = driver.init(nfc.clf.transport.TTY(device.tty_path))
    opened._path = device.tty_path  # noqa: SLF001  what nfcpy's own `connect` sets
    frontend = nfc.clf.ContactlessFrontend()
    frontend.device = opened
    return frontend


def _driver(name: str | None) -> Any:  # noqa: ANN401  as above
    if name == "arygon":
        import nfc.clf.arygon as driver  # type: ignore[import-untyped]  # noqa: PLC0415  only where it is used
    else:
        import nfc.clf.pn532 as driver  # type: ignore[import-untyped]  # noqa: PLC0415  as above
    return driver


def uid_of(target: Any, technology: str) -> bytes | None:  # noqa: ANN401  as above
    """Return the UID (type A), PUPI (B) or IDm (F) that a target told; None when it told none of a known length."""
    if technology.endswith("A"):
        # of a type 1 tag: four bytes of its UID come with its answer to RID (NFC Forum Digital, 9.6.1)
        uid = bytes(target.rid_res[2:6]) if target.rid_res else bytes(target.sdd_res or b"")
    elif technology.endswith("B"):
        uid = bytes((target.sensb_res or b"")[1:5])
    else:
        uid = bytes((target.sensf_res or b"")[1:9])
    return uid if len(uid) in UID_LENGTHS[technology[-1]] else None


class Watch:
    """Looks again and again, and says what has changed."""

    def __init__(self, frontend: Any, technologies: list[str], say: Callable[[Word], None]) -> None:  # noqa: ANN401  as above
        """Begin with nothing seen."""
        self._frontend = frontend
        self._technologies = technologies
        self._say = say
        self._said: Word | None = None
        self._said_ns = now_ns()
        self._errors = 0

    def look(self) -> bool:
        """Look once in each technology, from the one that last found a card; return whether there is a card.

        Raises OSError and termios.error of a device that is gone, and whatever nfcpy raises, when it does so again and again.
        """
        for technology in tuple(self._technologies):
            seen_ns = now_ns()
            try:
                target = self._frontend.sense(nfc.clf.RemoteTarget(technology))
            except (nfc.clf.UnsupportedTargetError, ValueError):  # ValueError: the PN53x drivers' word for the same
                self._technologies.remove(technology)
                if not self._technologies:
                    raise
                continue
            except OSError:
                raise
            except Exception:  # a card at the field's edge makes nfcpy index into nothing
                self._errors += 1
                if self._errors >= ERRORS_IN_A_ROW:
                    raise
                target = None
            else:
                self._errors = 0
            if target is not None:
                self._found(target, technology, seen_ns)
                return True
            self._beat()
        self._tell(Word(Kind.EMPTY, seen_ns))
        return False

    def _found(self, target: Any, technology: str, seen_ns: int) -> None:  # noqa: ANN401  as above
        self._technologies.remove(technology)
        self._technologies.insert(0, technology)
        uid = uid_of(target, technology)
        self._tell(Word(Kind.MUTE, seen_ns) if uid is None else Word(Kind.CARD, seen_ns, technology, uid))

    def _tell(self, word: Word) -> None:
        """Say a sight that is another than the last."""
        said = self._said
        if said is None or (word.kind, word.technology, word.uid) != (said.kind, said.technology, said.uid):
            self._said, self._said_ns = word, now_ns()
            self._say(word)
        else:
            self._beat()

    def _beat(self) -> None:
        if now_ns() - self._said_ns >= BEAT_NS:
            self._said_ns = now_ns()
            self._say(Word(Kind.BEAT))


def parent_is_there(wait_s: float) -> bool:
    """Wait, and tell whether the parent still holds the other end of our standard input."""
    ready, _, _ = select.select([0], [], [], wait_s)
    return not ready


def watch(device: str, technologies: str, say: Callable[[Word], None]) -> None:
    """Open the device and look until the parent is gone."""
    frontend = open_device(parse_device(device))
    if frontend.device is None:
        raise OSError("no such NFC reader is there, or this user may not use it")
    say(Word(Kind.READY))
    looking = Watch(frontend, technologies.split(","), say)
    while parent_is_there(PAUSE_WITH_CARD_S if looking.look() else PAUSE_S):
        pass
    frontend.close()


def main() -> None:
    """Run with a device and technologies (106A,106B,…) as arguments."""
    pipe = os.dup(1)
    os.dup2(2, 1)  # nfcpy runs stty: its words must not come between ours

    def say(word: Word) -> None:
        os.write(pipe, encode(word))

    try:
        watch(sys.argv[1], sys.argv[2], say)
    except BrokenPipeError:
        pass
    except Exception as error:  # noqa: BLE001  OSError, termios.error, IndexError, Chipset.Error …: nfcpy has no tree of its own
        say(Word(Kind.FAULT, text=f"{type(error).__name__}: {error}"))
    os._exit(0)  # what the library holds open cannot hang our end


if __name__ == "__main__":
    main()
