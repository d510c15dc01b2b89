"""What registry and neighbours say to one claim, gathered until there is nothing more to wait for, or the deadline."""

import threading
import time
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Protocol

from sync.wire.neighbour import ReserveAnswer
from sync.wire.quota import ClaimAnswer


class Asked(Protocol):
    """A neighbour that was asked."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def is_away(self) -> bool:
        """Whether it gave no answer to what it was asked last."""


class Gathering:
    """One claim's answers. They come on any thread; one waits for them."""

    def __init__(self, limit: int) -> None:
        """Begin without any; `limit` is how many servings a day there are."""
        self._limit = limit
        self._change = threading.Condition()
        self._has_registry_spoken = False
        self._answer: ClaimAnswer | None = None
        self._failure = "no answer in time"
        self._replies: dict[str, ReserveAnswer | None] = {}

    def registry(self, answer: ClaimAnswer | None, failure: str) -> None:
        """Take the registry's answer, or why there is none."""
        with self._change:
            self._has_registry_spoken, self._answer, self._failure = True, answer, failure
            self._change.notify_all()

    def neighbour(self, name: str, answer: ReserveAnswer | None) -> None:
        """Take a neighbour's answer, None where there is none."""
        with self._change:
            self._replies[name] = answer
            self._change.notify_all()

    def told(self, asked: Collection[Asked], total_s: float) -> Mapping[str, Any]:
        """Wait, and return the registry's answer as `ClaimAnswer` has it, or `unknown`, and `neighbours`: each one's, with its `host`.

        For those that were away before nobody waits, as long as there is anybody else's word to go by.
        """
        expected = {each.name for each in asked if not each.is_away}
        everybody = {each.name for each in asked}
        until_s = time.monotonic() + total_s
        with self._change:
            while not self._is_enough(expected, everybody) and (left_s := until_s - time.monotonic()) > 0:
                self._change.wait(left_s)
            replies = [{"host": name, **each.to_table()} for name, each in self._replies.items() if each]
            told = {"unknown": self._failure} if self._answer is None else self._answer.to_table()
            return {**told, "neighbours": replies}

    def _is_enough(self, expected: AbstractSet[str], everybody: AbstractSet[str]) -> bool:
        """Whether what may still come changes nothing, or is not worth waiting for."""
        if self._answer is not None and not self._answer.granted and not self._answer.is_unsure:
            return True
        used = sum(each.served.get(name, 0) for name, each in self._replies.items() if each)
        if used >= self._limit:
            return True
        has_word = self._answer is not None or any(self._replies.values())
        awaited = expected if has_word else everybody
        return self._has_registry_spoken and awaited <= self._replies.keys()
