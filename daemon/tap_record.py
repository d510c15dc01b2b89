"""What a tap leaves in the journal: its event, and the serving that it counts as."""

from datetime import date, datetime

from policy.holder import holder_of
from policy.model import Card, Decision, Tap
from policy.rule import Rule
from sync.wire.event import PREPAID, PRICE, Event, EventKind, Serving, place_of, utc_text


def serving_of(tap: Tap, card: Card | None, rule: Rule, day: date) -> Serving | None:
    """Return whose serving this would be: the person's over all cards, or the card's own (DOMAIN.md, trap 2). None for an unknown card."""
    if card is None:
        return None
    return Serving(day, place_of(tap.service, tap.direction), holder_of(card, rule))


def tap_event(  # noqa: PLR0913  an event is the sum of these
    tap: Tap,
    card: Card | None,
    rule: Rule,
    decision: Decision,
    *,
    at: datetime,
    serving: Serving | None,
    day: date,
    latency_ms: float,
    outputs: tuple[str, ...],
) -> Event:
    """Lay a decided tap out as an event. It names the versions of the card row and of the rule, so that it can be replayed."""
    return {
        "kind": EventKind.TAP,
        "tap_id": tap.tap_id.hex(),
        "time": utc_text(at),
        "service_day": day.isoformat(),
        "reader": tap.reader,
        "service": tap.service,
        "direction": tap.direction,
        "verdict": decision.verdict,
        "reason": decision.reason,
        "flags": [flag.value for flag in decision.flags],
        "card": card.card if card else None,
        "person": card.person if card else None,
        "holder": serving.holder if serving and decision.counts else None,
        "latency_ms": latency_ms,
        "outputs": list(outputs),
        "card_version": card.version if card else None,
        "rule_version": rule.version,
        **price_told(decision.price_cents if decision.counts else 0, rule),
    }


def price_told(cents: int, rule: Rule) -> dict[str, object]:
    """Return what an event says of its price: nothing where the serving is free, and whether the holder's account pays it (V6.5)."""
    if not cents:
        return {}
    return {PRICE: cents, PREPAID: True} if rule.prepaid else {PRICE: cents}
