"""The question for a shared quota: may this serving be one of the day's? Asked before serving, idempotent by the tap's id.

JSON `{"tap_id": hex of 16 bytes, "service", "direction": "in", "out" or null, "day": ISO day, "card", "person": id or null, "kind"}`; the
answer is `{"granted": bool, "served": n}`: whether the day's limit allows it, and how many other servings and claims the day has. The
same question again gets the same answer, also when the first answer was lost on its way.

A no that rests on a promise to another host alone, which has fallen silent with it, has `"unsure": true`: whether that one served nobody
knows, and the asker's rule says what to do, as if there were no answer.

Where the person's prepaid account pays (V6.5), the question has `"price_cents"`, what it costs within the limit, and
`"second_price_cents"`, what it costs beyond, each left out where it cannot come to that. The answer then has `"credit"`: `"held"`, the
price that applies is set aside until the serving is told, or `"too_little"`, and nothing is promised at all; and `"balance_cents"`, what is
left on the account.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final, Self

from sync.wire import canonical
from sync.wire.faults import Malformed

MAX_BYTES: Final = 2048
TAP_ID_BYTES: Final = 16
MOST_CENTS: Final = 1_000_000  # a price is no more, in a rule as on the wire
MOST_BALANCE: Final = (1 << 53) - 1  # what every reader of JSON can hold
PRICES: Final = ("price_cents", "second_price_cents")
_REQUEST: Final = frozenset({"card", "day", "direction", "kind", "person", "service", "tap_id"})


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """Who asks for what. `tap_id` is lower-case hex; `day` the school's local day; `card`, `person` are registry ids.

    The prices are None where nothing is paid from an account, or not on this side of the limit.
    """

    tap_id: str
    service: str
    direction: str | None
    day: date
    card: str
    person: str | None
    kind: str
    price_cents: int | None = None
    second_price_cents: int | None = None

    @property
    def is_paid(self) -> bool:
        """Whether an account is to pay."""
        return self.price_cents is not None or self.second_price_cents is not None

    def to_json(self) -> bytes:
        """Return the body of the request."""
        prices = {name: getattr(self, name) for name in PRICES if getattr(self, name) is not None}
        return canonical.encode(
            {
                **prices,
                "tap_id": self.tap_id,
                "service": self.service,
                "direction": self.direction,
                "day": self.day.isoformat(),
                "card": self.card,
                "person": self.person,
                "kind": self.kind,
            }
        )

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read such a body. Raises Malformed, TooLarge."""
        found = canonical.table(canonical.decode(body, "claim", MAX_BYTES), "claim", _REQUEST, frozenset(PRICES))
        direction = found["direction"]
        return cls(
            tap_id=canonical.from_hex(found["tap_id"], "claim: tap_id", TAP_ID_BYTES).hex(),
            service=canonical.text(found["service"], "claim: service", 50),
            direction=None if direction is None else canonical.one_of(direction, "claim: direction", {"in", "out"}),
            day=_day(found["day"]),
            card=canonical.text(found["card"], "claim: card", 64),
            person=canonical.text_or_none(found["person"], "claim: person", 64),
            kind=canonical.text(found["kind"], "claim: kind", 32),
            price_cents=_price(found, "price_cents"),
            second_price_cents=_price(found, "second_price_cents"),
        )


class Funds(StrEnum):
    """What the registry says of the account that is to pay."""

    HELD = "held"
    TOO_LITTLE = "too_little"


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """Whether the day's limit allows the serving, how many others there are that day, and what of the account if one is to pay.

    `balance_cents` may be below zero: a host that was cut off has charged more than there was. `is_unsure` goes with a no alone; the
    price that is held with it is the one within the limit.
    """

    granted: bool
    served: int
    credit: Funds | None = None
    balance_cents: int | None = None
    is_unsure: bool = False

    def to_json(self) -> bytes:
        """Return the body of the answer."""
        return canonical.encode(self.to_table())

    def to_table(self) -> dict[str, object]:
        """Return it as an object; without an account that pays it says nothing of one."""
        told: dict[str, object] = {"granted": self.granted, "served": self.served}
        if self.is_unsure:
            told["unsure"] = True
        if self.credit is not None:
            told |= {"credit": str(self.credit), "balance_cents": self.balance_cents}
        return told

    @classmethod
    def parse(cls, body: bytes) -> Self:
        """Read such a body. Raises Malformed, TooLarge."""
        found = canonical.table(canonical.decode(body, "claim", MAX_BYTES), "claim", _ANSWER, _OF_THE_ACCOUNT | _DOUBT)
        granted = canonical.flag(found["granted"], "claim: granted")
        is_unsure = canonical.flag(found.get("unsure", False), "claim: unsure")
        if is_unsure and granted:
            raise Malformed("claim: unsure: expected with a no alone")
        answer = cls(granted, canonical.whole(found["served"], "claim: served"), is_unsure=is_unsure)
        if not _OF_THE_ACCOUNT & found.keys():
            return answer
        canonical.table(found, "claim", _ANSWER | _OF_THE_ACCOUNT, _DOUBT)
        credit = Funds(canonical.one_of(found["credit"], "claim: credit", set(Funds)))
        balance_cents = canonical.whole(found["balance_cents"], "claim: balance_cents", -MOST_BALANCE, MOST_BALANCE)
        return replace(answer, credit=credit, balance_cents=balance_cents)


_ANSWER: Final = frozenset({"granted", "served"})
_DOUBT: Final = frozenset({"unsure"})
_OF_THE_ACCOUNT: Final = frozenset({"credit", "balance_cents"})


def _price(found: Mapping[str, object], name: str) -> int | None:
    return canonical.whole(found[name], f"claim: {name}", 0, MOST_CENTS) if name in found else None


def _day(value: object) -> date:
    try:
        day = date.fromisoformat(str(value))
    except ValueError as error:
        raise Malformed("claim: day: expected a day like 2026-09-01") from error
    if day.isoformat() != value:
        raise Malformed("claim: day: expected a day like 2026-09-01")
    return day
