"""What may stand in a rule and in a calendar, one sentence a key (DESIGN.md §7): shown beside the editors."""

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

Key = tuple[str, str, str | Promise]

RULE_KEYS: Final[tuple[Key, ...]] = (
    ("kinds", 'kinds = ["personal", "substitute"]', _("Which kinds of card are served; without it, all.")),
    ("groups", 'groups = ["7B", "grade-9"]', _("Only these classes or groups; without it, all.")),
    ("hours", 'hours = { school_day = ["07:30-17:30"] }', _("When, by type of day; without it, always.")),
    ("per_day", "per_day = 1", _("How often a day; without it, without limit.")),
    ("per_day_by_kind", "per_day_by_kind = { substitute = 1 }", _("The same for one kind of card.")),
    ("per", 'per = "person"', _("Count a person's cards together, or each card for itself: person, card.")),
    ("repeat_s", "repeat_s = 10", _("Seconds in which a second tap counts as the same.")),
    ("second", 'second = "deny"', _("Beyond the limit: deny, flag, charge.")),
    (
        "exit",
        'exit = "grant_and_flag"',
        _("Whoever wants out is let out and flagged, or the rule holds: grant_and_flag, rule."),
    ),
    ("pool_card", 'pool_card = "ask"', _("A substitute lent to nobody: deny, ask.")),
    ("stale_after_h", "stale_after_h = 72", _("After how many hours without the registry the data counts as old.")),
    ("when_stale", 'when_stale = "serve_and_flag"', _("With old data: serve_and_flag, ask_staff, deny.")),
    ("when_clock_untrusted", 'when_clock_untrusted = "serve_and_flag"', _("With a doubtful clock: the same three.")),
    (
        "when_quota_unknown",
        'when_quota_unknown = "serve_and_flag"',
        _("When nobody can be asked what was served: the same three."),
    ),
    ("when_disk_fails", 'when_disk_fails = "deny"', _("When nothing can be written down: the same three.")),
    ("price_cents", "price_cents = 150", _("What one serving costs, in cents.")),
    ("price_cents_by_group", "price_cents_by_group = { staff = 350 }", _("The same for a class or group.")),
    (
        "second_price_cents",
        "second_price_cents = 180",
        _("What a serving beyond the limit costs, where it is charged and the group has no price of its own."),
    ),
    (
        "slots",
        'slots = [{ groups = ["7B", "7C"], school_day = ["11:30-11:50"] }]',
        _("When classes or groups take their turn, by type of day; the others come at any open hour."),
    ),
    ("outside_slot", 'outside_slot = "serve_and_flag"', _("At another time than the class's turn: the same three.")),
    ("prepaid", "prepaid = true", _("Whether the person's prepaid account pays the price.")),
    (
        "offline_allowance_cents",
        "offline_allowance_cents = 100",
        _("What a host may charge a person on a day by itself, while the registry cannot be asked."),
    ),
)
CALENDAR_KEYS: Final[tuple[Key, ...]] = (
    ("school_days", 'school_days = ["mon", "tue", "wed", "thu", "fri"]', _("Weekdays with lessons.")),
    ("breaks", 'breaks = ["2026-12-21..2027-01-10"]', _("School breaks, both days included.")),
    (
        "special_days",
        'special_days = { "2027-02-13" = "school_day" }',
        _("Days that follow no rule: school_day, break, holiday, weekend, trip, exam_day."),
    ),
)
