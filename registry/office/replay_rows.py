"""A tap that a draft would answer otherwise, as the office shows it: where, what was answered, what would be. Never whose it was."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from policy.model import Verdict
from policy.phrases import LANGUAGES, phrase
from policy.reasons import Flag, Reason
from policy.replay import Answer, Replayed
from registry.office.event_rows import ANSWERS

_FLAGS: Final[dict[str, str | Promise]] = {
    Flag.EXIT_GRANTED: _("let out all the same"),
    Flag.SECOND_SERVING: _("second serving"),
    Flag.SECOND_CHARGED: _("second serving, charged"),
    Flag.OUTSIDE_SLOT: _("not the turn of the class"),
}


@dataclass(frozen=True, slots=True)
class Told:
    """An answer in words, and the colour of its verdict."""

    answer: str
    why: str
    colour: str


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One line of a preview."""

    replayed: Replayed
    then: Told
    now: Told


def replay_rows(changed: Iterable[Replayed]) -> list[ReplayRow]:
    """Return the lines of what was answered otherwise, in the language of this request."""
    language = get_language() or "en"
    language = language if language in LANGUAGES else "en"
    return [ReplayRow(one, _told(one.tapped.then, language), _told(one.now, language)) for one in changed if one.now]


def _told(answer: Answer, language: str) -> Told:
    word, colour = ANSWERS.get(answer.verdict, (answer.verdict, ""))
    refused = answer.verdict != Verdict.GRANT and answer.reason in set(Reason)
    why = [phrase(Reason(answer.reason), language)] if refused else []
    why += [str(words) for flag, words in _FLAGS.items() if flag in answer.flags]
    if answer.price_cents:
        why.append(f"{answer.price_cents / 100:.2f} €")
    return Told(str(word), ", ".join(why), colour)
