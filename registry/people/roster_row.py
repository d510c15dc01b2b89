"""One row of a roster: a person, a stay and a card, read from the texts that stand in a file's columns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, TypeVar

from django.utils.translation import gettext as _

from policy.uid import UidError, is_random, parse_hex
from registry.models import CardKind, CardState, CloseReason, EnrolmentKind
from registry.people import persons
from registry.people.enrolments import check_class_name
from registry.people.persons import PersonFacts
from registry.refusal import Refused

PERSON_COLUMNS: Final = ("external_id", "given_name", "family_name", "personal_code", "email", "library_number")
STAY_COLUMNS: Final = ("class", "kind", "from", "until")
CARD_COLUMNS: Final = (
    "card_number",
    "card_kind",
    "uid",
    "product",
    "state",
    "close_reason",
    "ordered_on",
    "valid_from",
    "valid_until",
)
COLUMNS: Final = PERSON_COLUMNS + STAY_COLUMNS + CARD_COLUMNS
SECRET: Final = frozenset({"personal_code", "uid"})  # never told again, however wrong
MAX_SHOWN: Final = 60
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class BadRow:
    """What is wrong in a row: its line from 1, the column, what was found and what is expected."""

    line: int
    column: str
    found: str
    expected: str

    def __str__(self) -> str:
        """Tell it in a line."""
        parts = {"line": self.line, "column": self.column, "found": self.found, "expected": self.expected}
        return _("line %(line)d, %(column)s: found %(found)s, expected %(expected)s") % parts


class BadRowFault(Exception):
    """A row cannot be read; `rows` is what is wrong with it."""

    def __init__(self, *rows: BadRow) -> None:
        """Keep what is wrong."""
        super().__init__(*rows)
        self.rows = rows


@dataclass(frozen=True, slots=True)
class RosterStay:
    """As what a person is at the school; a day that is None is not said."""

    class_name: str
    kind: str
    valid_from: date | None
    valid_until: date | None


@dataclass(frozen=True, slots=True)
class RosterCard:
    """A card as a roster names it; `product` is its code, None and empty texts are not said."""

    number: str
    kind: str
    uid: bytes | None
    product: str
    state: str
    close_reason: str
    ordered_on: date | None
    valid_from: date | None
    valid_until: date | None


@dataclass(frozen=True, slots=True)
class RosterRow:
    """One row. A row without a person is a substitute of the pool. A person without an external id is known by the personal code."""

    line: int
    person: PersonFacts | None
    stay: RosterStay | None = None
    card: RosterCard | None = None


def read_row(values: Mapping[str, str], line: int, *, needs_id: bool = True) -> RosterRow:
    """Read a row from its columns' texts. Raises BadRowFault with all that is wrong in it."""
    cells = _Cells({name: text.strip() for name, text in values.items()}, line)
    person = _person(cells, needs_id=needs_id)
    stay = _stay(cells) if person is not None else None
    card = _card(cells, stay) if any(cells.text(name) for name in CARD_COLUMNS) else None
    if person is None and not cells.bad and (card is None or card.kind != CardKind.SUBSTITUTE):
        cells.blame("external_id", _("nothing"), _("the id of a person; only a substitute of the pool has none"))
    if cells.bad:
        raise BadRowFault(*cells.bad)
    return RosterRow(line, person, stay, card)


class _Cells:
    """The texts of a row, and what was found wrong in them so far."""

    def __init__(self, texts: Mapping[str, str], line: int) -> None:
        self._texts = texts
        self._line = line
        self.bad: list[BadRow] = []

    def text(self, column: str) -> str:
        return self._texts.get(column, "")

    def blame(self, column: str, found: str, expected: str) -> None:
        self.bad.append(BadRow(self._line, column, found, expected))

    def read(self, column: str, read: Callable[[str], T], default: T) -> T:
        """Read a cell; `default` stands for an empty one, and for a bad one, which is blamed."""
        text = self.text(column)
        if not text:
            return default
        try:
            return read(text)
        except Refused as refused:
            self.blame(column, refused.found, refused.expected)
        except UidError as error:
            self.blame(column, error.found, error.expected)
        except ValueError as error:
            self.blame(column, shown(column, text), str(error))
        return default


def shown(column: str, text: str) -> str:
    """Return a cell as an error may show it: bounded, and never a secret."""
    if column in SECRET:
        return _("%(count)d characters") % {"count": len(text)}
    return ascii(text[:MAX_SHOWN]) if not text.isprintable() else f"“{text[:MAX_SHOWN]}”"


def _person(cells: _Cells, *, needs_id: bool) -> PersonFacts | None:
    if not any(cells.text(name) for name in (*PERSON_COLUMNS, *STAY_COLUMNS)):
        return None
    required = [*(["external_id"] if needs_id else ["personal_code"]), "given_name", "family_name"]
    missing = [name for name in required if not cells.text(name)]
    for name in missing:
        cells.blame(name, _("nothing"), _("a text"))
    parts = {}
    for name in PERSON_COLUMNS:
        parts[name] = cells.read(name, lambda text, name=name: persons.checked_part(name, text), "")  # type: ignore[misc]
    return PersonFacts(**parts)


def _stay(cells: _Cells) -> RosterStay:
    class_name = cells.read("class", _class_name, "")
    first, last = cells.read("from", _day, None), cells.read("until", _day, None)
    if first and last and last < first:
        cells.blame("until", f"{last}", _("a day from %(day)s on") % {"day": first})
    kind = cells.read("kind", lambda text: _choice(text, EnrolmentKind.values), str(EnrolmentKind.PUPIL))
    return RosterStay(class_name, kind, first, last)


def _card(cells: _Cells, stay: RosterStay | None) -> RosterCard:
    if not cells.text("card_number"):
        cells.blame("card_number", _("nothing"), _("the number of the card"))
    of_staff = stay is not None and stay.kind == EnrolmentKind.STAFF
    kind = cells.read(
        "card_kind",
        lambda text: _choice(text, CardKind.values),
        str(CardKind.STAFF if of_staff else CardKind.PERSONAL),
    )
    uid = cells.read("uid", _uid, None)
    usual = CardState.POOL if kind == CardKind.SUBSTITUTE else CardState.ACTIVE if uid else CardState.ORDERED
    return RosterCard(
        cells.text("card_number"),
        kind,
        uid,
        cells.text("product"),
        cells.read("state", lambda text: _choice(text, CardState.values), str(usual)),
        cells.read("close_reason", lambda text: _choice(text, CloseReason.values), ""),
        cells.read("ordered_on", _day, None),
        cells.read("valid_from", _day, None),
        cells.read("valid_until", _day, None),
    )


def _class_name(text: str) -> str:
    check_class_name(text, "class")
    return text


def _uid(text: str) -> bytes | None:
    uid = parse_hex(text)
    if is_random(uid):
        raise UidError(_("a random UID (4 bytes beginning 08)"), _("a card with a fixed number"))
    return uid


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(_("a day such as 2027-12-31")) from None


def _choice(text: str, choices: list[str]) -> str:
    if text.lower() in choices:
        return text.lower()
    raise ValueError(_("one of: %(choices)s") % {"choices": ", ".join(choices)})
