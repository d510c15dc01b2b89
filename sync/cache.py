"""What a host holds of cards and rules, as the tap's way reads it: one lookup by keyed UID in the cache file that serves now."""

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from policy.model import Card
from sync import current
from sync.cache_file import CacheFile, CacheInfo, CacheRefused, Gathered, describe, open_under
from sync.current import Current
from sync.documents import Documents
from sync.faults import CacheFault, KeyFault
from sync.wire.card_key import SiteKey

_NEVER: Final = (-1, -1)  # a stamp that no file has


class CardCache:
    """The cache that serves, reopened between taps when `current` changes. Its methods may be called from any thread."""

    def __init__(self, state_dir: Path, key: SiteKey, reload_key: Callable[[], SiteKey] | None = None) -> None:
        """Open what serves; a host that was never fed, or whose cache is damaged, serves the former one or nothing.

        `reload_key` reads the site's key anew when `current` changes: an enrolment brings the registry's, also while the host runs.
        """
        self._state_dir = state_dir
        self._key = key
        self._reload_key = reload_key
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._file: CacheFile | None = None
        self._faults: list[str] = []
        self._refused: set[str] = set()  # files found damaged since `current` changed
        with self._lock:
            self._reopen()

    def find(self, uid: bytes) -> Card | None:
        """Return the card with this canonical UID, or None."""
        return self.gather(uid).card

    def gather(self, uid: bytes) -> Gathered:
        """Return the card with this canonical UID and the rules of the same version: a tap sees one state, never a mixture.

        A file that proves damaged is set aside and the former one is asked.
        """
        with self._lock:
            self._follow()
            while self._file is not None:
                try:
                    return self._file.gather(self._key.card_key(uid))
                except CacheFault as fault:
                    self._settle(fault, self._file)
            return Gathered()

    def cards_of(self, persons: Collection[str], card: str | None = None) -> tuple[Gathered, list[Card]]:
        """Return the cards of these persons and the card of this number, with the rules of the same version: for a hand mark.

        It looks through all cards, once for all that are asked of.
        """
        with self._lock:
            self._follow()
            while self._file is not None:
                try:
                    self._file.refresh()
                    found = self._file.cards_of(persons, card)
                    return Gathered(None, self._file.info, self._file.documents), found
                except CacheFault as fault:
                    self._settle(fault, self._file)
            return Gathered(), []

    def refresh(self) -> None:
        """Take up what was imported or published since, for the status: a tap does it by itself."""
        with self._lock:
            self._follow()
            if self._file is not None:
                try:
                    self._file.refresh()
                except CacheFault as fault:
                    self._settle(fault, self._file)

    def _settle(self, fault: CacheFault, file: CacheFile) -> None:
        if isinstance(fault, CacheRefused):
            self._let_go(fault)
        else:
            self._step_back(file.info.name, fault)

    def _follow(self) -> None:
        if current.stamp(self._state_dir) != self._stamp:
            self._reopen()

    @property
    def info(self) -> CacheInfo | None:
        """What serves now; None for a host without cards."""
        file = self._file
        return None if file is None else file.info

    @property
    def documents(self) -> Documents | None:
        """The registry's rules and calendar, which go before those of the host's own file; None where it fed nothing."""
        file = self._file
        return None if file is None else file.documents

    def take_faults(self) -> list[str]:
        """Return what was found damaged or unreadable since the last asking, for the log and the status."""
        with self._lock:
            faults, self._faults = self._faults, []
            if self._file is not None:
                faults += self._file.take_faults()
        return faults

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._close_file()

    def _close_file(self) -> None:
        if self._file is not None:
            self._faults += self._file.take_faults()
            self._file.close()
            self._file = None

    def _reopen(self) -> None:
        """Open the file that `current` names, stepping back over damaged ones: at most two, since no more are kept."""
        former = None if self._file is None else self._file.documents
        self._close_file()
        self._refused.clear()
        self._stamp = current.stamp(self._state_dir)
        if self._reload_key is not None and self._stamp is not None:
            with suppress(KeyFault):
                self._key = self._reload_key()
        try:
            now = current.read(self._state_dir)
        except CacheFault as fault:
            self._faults.append(str(fault))
            now = self._changed(current.rebuild)
        self._open(now, former)

    def _open(self, now: Current, former: Documents | None = None) -> None:
        sound = (name for name in (now.serving, now.former) if name is not None and name not in self._refused)
        name = next(sound, None)
        if name is None:
            return
        try:
            self._file = open_under(self._state_dir / name, self._key, former)
        except CacheRefused as refusal:
            self._let_go(refusal)
        except CacheFault as fault:
            self._step_back(name, fault)

    def _let_go(self, refusal: CacheRefused) -> None:
        """Answer from nothing until the file can be read: the former one's cards may have been closed since. The next tap tries again."""
        self._close_file()
        self._faults.append(str(refusal))
        self._stamp = _NEVER

    def _step_back(self, name: str, fault: CacheFault) -> None:
        former = None if self._file is None else self._file.documents
        self._close_file()
        self._faults.append(str(fault))
        self._refused.add(name)
        self._open(self._changed(partial(current.step_back, damaged=name)), former)

    def _changed(self, change: Callable[[Path], Current]) -> Current:
        """Have `current` changed. A disk that refuses even that hinders no tap: the former file is asked all the same."""
        try:
            with current.changing(self._state_dir):
                now = change(self._state_dir)
                self._stamp = current.stamp(self._state_dir)
        except OSError as error:
            self._faults.append(f"{self._state_dir}: nothing could be set aside: {error.strerror}")
            self._stamp = current.stamp(self._state_dir)
            try:
                now = current.look(self._state_dir)
            except OSError:  # not even that, such as for want of descriptors: the next tap tries again
                self._stamp, now = _NEVER, Current()
        return now


def look_up(state_dir: Path, key: SiteKey, uid: bytes) -> Gathered:
    """Return what a tap with this canonical UID would be decided on, for one who only asks: nothing is set aside. Raises CacheFault."""
    serving = current.look(state_dir).serving
    if serving is None:
        return Gathered()
    file = open_under(state_dir / serving, key)
    try:
        return file.gather(key.card_key(uid))
    finally:
        file.close()


def look_at_all(state_dir: Path, key: SiteKey) -> tuple[Documents | None, list[Card]]:
    """Return the documents and all cards that serve, for one who only asks: nothing is set aside. Raises CacheFault."""
    serving = current.look(state_dir).serving
    if serving is None:
        return None, []
    file = open_under(state_dir / serving, key)
    try:
        return file.documents, file.all_cards()
    finally:
        file.close()


def describe_serving(state_dir: Path) -> CacheInfo | None:
    """Return what the cache file that serves says of itself; None where none does. Raises CacheFault."""
    serving = current.look(state_dir).serving
    return describe(state_dir / serving) if serving else None


def import_time(state_dir: Path) -> datetime | None:
    """Return when the cards that serve were imported; None where there are none, or none that can be read."""
    try:
        info = describe_serving(state_dir)
    except CacheFault:
        return None
    return info.imported_at if info else None
