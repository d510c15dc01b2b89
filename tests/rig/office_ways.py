"""Every address of the back office: how it is asked for, and the deed that the permissions table must allow for it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from registry.ledger import topup_files
from registry.ledger.booking import Order, top_up
from registry.models import (
    AccountKind,
    CalendarVersion,
    Card,
    CardKind,
    CardState,
    ClassDay,
    ClosedMonth,
    Enrolment,
    LeavingProposal,
    Loan,
    Photo,
    Rollover,
    RosterImport,
    RuleVersion,
    TopUpFile,
    Transfer,
    Worker,
)
from registry.office.permissions import Deed
from registry.people import photos, rosters, workers
from tests.rig.office import OfficeRig, a_card, tapped
from tests.rig.people import jpeg

Made = tuple[str, Mapping[str, Any]]
"""An address, and what is posted to it."""


@dataclass(frozen=True, slots=True)
class Way:
    """One thing that is asked of the office. `made` lays what it needs and gives address and fields, for a user's name.

    `is_of_school`: it names something of the rig's school, so that a stranger is refused whatever they are at their own.
    """

    name: str
    deed: Deed
    made: Callable[[OfficeRig, str], Made]
    method: str = "get"
    is_of_school: bool = True
    suffix: str = field(default="")

    def __str__(self) -> str:
        """Name it in a test's id."""
        return f"{self.method}-{self.name}{self.suffix}"


def _plain(name: str, deed: Deed) -> Way:
    return Way(name, deed, lambda _office, _user: (reverse(name), {}), is_of_school=False)


def _person(name: str, deed: Deed, method: str = "get", **posted: object) -> Way:
    return Way(name, deed, lambda office, _user: (reverse(name, args=[office.pupil.pk]), posted), method)


def _card_in(office: OfficeRig, state: CardState, kind: CardKind = CardKind.PERSONAL) -> Card:
    owner = office.pupil if kind is CardKind.PERSONAL else None
    card = a_card(office.school, f"X-{state}", state=state, kind=kind, person=owner, uid=bytes.fromhex("01020304"))
    if state is CardState.CLOSED:
        card.close_reason = "lost"
        card.save()
    if state is CardState.EXPIRED:
        card.valid_until = date(2020, 1, 1)
        card.product = office.product
        card.save()
    if state is CardState.LENT:
        Loan.objects.create(
            card=card, person=office.pupil, lent_at=timezone.now(), lent_by="guard", is_provisional=True
        )
    return card


def _step(action: str, deed: Deed, state: CardState, kind: CardKind = CardKind.PERSONAL, **posted: object) -> Way:
    def made(office: OfficeRig, _user: str) -> Made:
        return reverse("card_deed", args=[_card_in(office, state, kind).pk, action]), posted

    return Way("card_deed", deed, made, "post", suffix=f"-{action}")


def _provisional(deed: str, needs: Deed) -> Way:
    def made(office: OfficeRig, _user: str) -> Made:
        card = _card_in(office, CardState.LENT, CardKind.SUBSTITUTE)
        return reverse("provisional_deed", args=[card.loans.get().pk]), {"deed": deed}

    return Way("provisional_deed", needs, made, "post", suffix=f"-{deed}")


def _lost_loan(office: OfficeRig) -> Loan:
    now = timezone.now()
    return Loan.objects.create(
        card=office.lent, person=office.pupil, lent_at=now, lent_by="guard", ended_at=now, end="lost", fee_cents=420
    )


def _draft(office: OfficeRig) -> RuleVersion:
    return RuleVersion.objects.create(
        service=office.service, number=1, table={"per_day": 1}, created_at=timezone.now(), created_by="it"
    )


def _calendar(office: OfficeRig) -> CalendarVersion:
    return CalendarVersion.objects.create(
        school=office.school,
        number=1,
        table={"breaks": ["2027-02-22..2027-02-28"]},
        created_at=timezone.now(),
        created_by="it",
    )


def _class_day(office: OfficeRig) -> ClassDay:
    return ClassDay.objects.create(school=office.school, class_name="7B", day=date(2030, 5, 2), day_type="trip")


def _uid(office: OfficeRig, user: str) -> Mapping[str, object]:
    """Let a card be tapped for this user at the desk; whoever does not exist asked as somebody else."""
    asked = tapped(office, office.users.get(user, office.users["it"]), bytes.fromhex("0499887766AABB"))
    return {"request": asked.pk}


def _lent_chip(office: OfficeRig, user: str) -> Made:
    asked = tapped(office, office.users.get(user, office.users["it"]), bytes(office.substitute.uid or b""))
    return reverse("lend_to", args=[office.classmate.pk]), {"request": asked.pk}


def _proposal(office: OfficeRig) -> LeavingProposal:
    roster = RosterImport.objects.create(
        school=office.school, file_name="r.csv", made_at=timezone.now(), made_by="it", applied_at=timezone.now()
    )
    stay = Enrolment.objects.get(person=office.classmate)
    return LeavingProposal.objects.create(enrolment=stay, roster=roster, proposed_at=timezone.now())


def _rollover(office: OfficeRig) -> Rollover:
    return Rollover.objects.create(
        school=office.school, day=date(2027, 9, 1), planned_at=timezone.now(), planned_by="it"
    )


def _worker(office: OfficeRig) -> Worker:
    return workers.add(office.school, "Mall Mallikas", "2468", actor="it", now=timezone.now())


def _photo(office: OfficeRig) -> Photo:
    return photos.give(office.school, office.pupil, jpeg(), actor="it", now=timezone.now())


def _roster() -> SimpleUploadedFile:
    return SimpleUploadedFile("klassid.csv", b"external_id,given_name,family_name,class\nuus-2,Uus,Laps,1A\n")


def _payment(office: OfficeRig) -> Transfer:
    now = timezone.now()
    order = Order(500, "form of the test", now.date(), "it", now)
    return top_up(office.school, office.pupil, order, AccountKind.CASH)


def _payments(office: OfficeRig) -> SimpleUploadedFile:
    lines = f"reference;external_id;amount;date\nR1;{office.pupil.external_id};5;{timezone.localdate()}\n"
    return SimpleUploadedFile("maksed.csv", lines.encode())


def _payments_read(office: OfficeRig) -> TopUpFile:
    return topup_files.preview(office.school, "maksed.csv", _payments(office), actor="it", now=timezone.now())


def _upload(office: OfficeRig, _user: str) -> Made:
    return reverse("roster"), {"school": office.school.pk, "file": _roster()}


def _dry_run(office: OfficeRig) -> RosterImport:
    return rosters.preview(office.school, "klassid.csv", _roster(), actor="it", now=timezone.now())


def _persons(office: OfficeRig, _user: str) -> Made:
    day = str(timezone.now().date())
    asked = {"kind": "persons", "service": office.service.pk, "first": day, "last": day}
    return reverse("reports"), {"school": office.school.code, **asked}


def _last_month() -> date:
    return (timezone.now().date().replace(day=1) - timedelta(days=2)).replace(day=1)


def _closed_month(office: OfficeRig) -> ClosedMonth:
    return ClosedMonth.objects.create(
        service=office.service, first_day=_last_month(), closed_at=timezone.now(), closed_by="it", figures=[]
    )


_PERSON: Final = {
    "given_name": "Uus",
    "family_name": "Laps",
    "external_id": "uus-1",
    "kind": "pupil",
    "class_name": "1A",
    "valid_from": "2026-09-01",
}
WAYS: Final = (
    _plain("find", Deed.FIND),
    _plain("more", Deed.FIND),
    _plain("own_class", Deed.OWN_CLASS),
    Way(
        "own_class",
        Deed.OWN_CLASS,
        lambda o, _: (reverse("own_class"), {"school": o.school.code, "class": "7B"}),
        suffix="-7B",
    ),
    _plain("tap", Deed.TAP),
    _plain("substitutes", Deed.LEND),
    _plain("provisional", Deed.LEND),
    _plain("live", Deed.EVENTS),
    _plain("roster", Deed.ROSTER),
    _plain("leavings", Deed.ROSTER),
    _plain("rollover", Deed.ROLLOVER),
    _plain("class_days", Deed.CLASS_DAYS),
    _plain("accounts", Deed.MONEY_SEEN),
    _plain("topups", Deed.MONEY),
    _plain("rules", Deed.RULES),
    _plain("calendar", Deed.CALENDAR),
    _plain("hosts", Deed.HOSTS_SEEN),
    _plain("audit", Deed.AUDIT),
    _plain("reports", Deed.REPORTS),
    _plain("report_months", Deed.REPORTS),
    _plain("report_missing", Deed.REPORT_PERSONS),
    _plain("report_loans", Deed.LEND),
    _plain("report_flags", Deed.CARD_EVENTS),
    Way("reports", Deed.REPORT_PERSONS, _persons, suffix="-persons"),
    Way("report_month", Deed.REPORTS, lambda o, _: (reverse("report_month", args=[_closed_month(o).pk]), {})),
    Way(
        "report_months",
        Deed.CLOSE_MONTH,
        lambda o, _: (f"{reverse('report_months')}?school={o.school.code}", {"month": str(_last_month())}),
        "post",
    ),
    _plain("backup", Deed.HOSTS),
    _plain("person_add", Deed.ROSTER),
    _plain("substitute_add", Deed.ENTER),
    _plain("admin:registry_school_changelist", Deed.SETTINGS),
    _plain("admin:registry_cardproduct_changelist", Deed.SETTINGS),
    _plain("admin:registry_service_changelist", Deed.SETTINGS),
    _plain("admin:registry_membership_changelist", Deed.SETTINGS),
    Way(
        "admin:registry_school_change",
        Deed.SETTINGS,
        lambda o, _: (reverse("admin:registry_school_change", args=[o.school.pk]), {}),
    ),
    Way(
        "admin:registry_cardproduct_change",
        Deed.SETTINGS,
        lambda o, _: (reverse("admin:registry_cardproduct_change", args=[o.product.pk]), {}),
    ),
    Way(
        "admin:registry_service_change",
        Deed.SETTINGS,
        lambda o, _: (reverse("admin:registry_service_change", args=[o.service.pk]), {}),
    ),
    _person("person", Deed.FIND),
    _person("lend_to", Deed.LEND),
    _person("person_edit", Deed.ROSTER),
    _person("person_money", Deed.MONEY_SEEN),
    _person("person_money_csv", Deed.MONEY_SEEN),
    _person("person_book", Deed.MONEY),
    _person("card_add", Deed.ENTER),
    Way("card", Deed.FIND, lambda o, _: (reverse("card", args=[o.card.pk]), {})),
    Way("lend_card", Deed.LEND, lambda o, _: (reverse("lend_card", args=[o.substitute.pk]), {})),
    Way("card_tap", Deed.ENTER, lambda o, _: (reverse("card_tap", args=[o.card.pk]), {})),
    Way("card_deed", Deed.CLOSE, lambda o, _: (reverse("card_deed", args=[o.card.pk, "close"]), {})),
    Way("stay", Deed.ROSTER, lambda o, _: (reverse("stay", args=[o.pupil.enrolments.get().pk]), {})),
    Way("live_rows", Deed.EVENTS, lambda o, _: (reverse("live_rows", args=[o.school.code]), {})),
    Way("rule_edit", Deed.RULES, lambda o, _: (reverse("rule_edit", args=[o.service.pk]), {})),
    Way("rule_preview", Deed.RULES, lambda o, _: (reverse("rule_preview", args=[_draft(o).pk]), {})),
    Way("calendar_preview", Deed.CALENDAR, lambda o, _: (reverse("calendar_preview", args=[_calendar(o).pk]), {})),
    Way("host_revoke", Deed.HOSTS, lambda o, _: (reverse("host_revoke", args=[o.desk.pk]), {})),
    Way("rollover_plan", Deed.ROLLOVER, lambda o, _: (reverse("rollover_plan", args=[_rollover(o).pk]), {})),
    Way("desk_poll", Deed.TAP, lambda o, u: (reverse("desk_poll", args=[_uid(o, u)["request"]]), {})),
    Way("tap_unknown", Deed.TAP, lambda o, u: (reverse("tap_unknown"), _uid(o, u))),
    # what changes something
    Way("loan_paid", Deed.FEE, lambda o, _: (reverse("loan_paid", args=[_lost_loan(o).pk]), {}), "post"),
    Way("host", Deed.HOSTS_SEEN, lambda o, _: (reverse("host", args=[o.desk.pk]), {})),
    _step("close", Deed.CLOSE, CardState.ACTIVE, reason="lost"),
    _step("reopen", Deed.REOPEN, CardState.CLOSED),
    _step("activate", Deed.ACTIVATE, CardState.ARRIVED),
    _step("extend", Deed.EXTEND, CardState.EXPIRED),
    _step("hand_over", Deed.HAND_OVER, CardState.ACTIVE),
    _step("return", Deed.RETURN, CardState.CLOSED),
    _step("arrive", Deed.ARRIVE, CardState.ORDERED),
    _step("approve", Deed.APPLICATIONS, CardState.REQUESTED),
    _step("send_back", Deed.APPLICATIONS, CardState.REQUESTED),
    _step("request", Deed.APPLICATIONS, CardState.SENT_BACK),
    _step("order", Deed.APPLICATIONS, CardState.APPROVED),
    _step("take_back", Deed.TAKE_BACK, CardState.LENT, CardKind.SUBSTITUTE),
    _step("confirm", Deed.LEND, CardState.LENT, CardKind.SUBSTITUTE),
    _provisional("confirm", Deed.LEND),
    _provisional("take_back", Deed.TAKE_BACK),
    _step("declare_lost", Deed.DECLARE_LOST, CardState.LENT, CardKind.SUBSTITUTE),
    Way(
        "lend_card",
        Deed.LEND,
        lambda o, _: (reverse("lend_card", args=[o.substitute.pk]), {"person": o.pupil.pk}),
        "post",
    ),
    Way("lend_to", Deed.LEND, lambda o, _: (reverse("lend_to", args=[o.pupil.pk]), {"card": o.substitute.pk}), "post"),
    Way("lend_to", Deed.LEND, _lent_chip, "post", suffix="-tapped"),
    Way("card_tap", Deed.ENTER, lambda o, u: (reverse("card_tap", args=[o.card.pk]), _uid(o, u)), "post"),
    Way("tap", Deed.TAP, lambda o, u: (reverse("tap"), _uid(o, u)), "post"),
    Way("desk_ask", Deed.TAP, lambda o, _: (reverse("desk_ask"), {"host": o.desk.pk}), "post"),
    Way("person_add", Deed.ROSTER, lambda o, _: (reverse("person_add"), {**_PERSON, "school": o.school.pk}), "post"),
    _person("person_edit", Deed.ROSTER, "post", given_name="Õnne", family_name="Kuusk"),
    _person("card_add", Deed.ENTER, "post", number="M-9"),
    Way(
        "substitute_add",
        Deed.ENTER,
        lambda o, _: (f"{reverse('substitute_add')}?school={o.school.code}", {"number": "A-9"}),
        "post",
    ),
    Way(
        "stay",
        Deed.ROSTER,
        lambda o, _: (
            reverse("stay", args=[o.pupil.enrolments.get().pk]),
            {"class_name": "7B", "last_day": "2027-06-10"},
        ),
        "post",
    ),
    Way(
        "class_days",
        Deed.CLASS_DAYS,
        lambda o, _: (
            f"{reverse('class_days')}?school={o.school.code}",
            {"class_name": "7B", "day": "2030-05-02", "day_type": "trip"},
        ),
        "post",
    ),
    Way(
        "class_day_remove",
        Deed.CLASS_DAYS,
        lambda o, _: (reverse("class_day_remove", args=[_class_day(o).pk]), {}),
        "post",
    ),
    Way(
        "rule_edit",
        Deed.RULES,
        lambda o, _: (reverse("rule_edit", args=[o.service.pk]), {"text": "per_day = 1"}),
        "post",
    ),
    Way("rule_preview", Deed.RULES, lambda o, _: (reverse("rule_preview", args=[_draft(o).pk]), {}), "post"),
    Way(
        "calendar",
        Deed.CALENDAR,
        lambda o, _: (f"{reverse('calendar')}?school={o.school.code}", {"text": 'breaks = ["2027-02-22..2027-02-28"]'}),
        "post",
    ),
    Way(
        "calendar_preview",
        Deed.CALENDAR,
        lambda o, _: (reverse("calendar_preview", args=[_calendar(o).pk]), {}),
        "post",
    ),
    Way("hosts", Deed.HOSTS, lambda o, _: (reverse("hosts"), {"school": o.school.pk, "name": "uus-host"}), "post"),
    Way("host_code", Deed.HOSTS, lambda o, _: (reverse("host_code", args=[o.desk.pk]), {}), "post"),
    Way("host_revoke", Deed.HOSTS, lambda o, _: (reverse("host_revoke", args=[o.desk.pk]), {}), "post"),
    Way("host_desk", Deed.HOSTS, lambda o, _: (reverse("host_desk", args=[o.desk.pk]), {}), "post"),
    Way("host_shows", Deed.HOSTS, lambda o, _: (reverse("host_shows", args=[o.desk.pk]), {"shows": "canteen"}), "post"),
    _plain("workers", Deed.WORKERS),
    Way("worker_pin", Deed.WORKERS, lambda o, _: (reverse("worker_pin", args=[_worker(o).pk]), {})),
    Way("worker_remove", Deed.WORKERS, lambda o, _: (reverse("worker_remove", args=[_worker(o).pk]), {})),
    Way(
        "workers",
        Deed.WORKERS,
        lambda o, _: (f"{reverse('workers')}?school={o.school.code}", {"name": "Mall", "pin": "1357"}),
        "post",
    ),
    Way(
        "worker_pin", Deed.WORKERS, lambda o, _: (reverse("worker_pin", args=[_worker(o).pk]), {"pin": "1357"}), "post"
    ),
    Way("worker_remove", Deed.WORKERS, lambda o, _: (reverse("worker_remove", args=[_worker(o).pk]), {}), "post"),
    _person("photo", Deed.PHOTOS),
    Way("photo_image", Deed.PHOTOS, lambda o, _: (reverse("photo_image", args=[_photo(o).person_id]), {})),
    Way(
        "photo",
        Deed.PHOTOS,
        lambda o, _: (reverse("photo", args=[o.pupil.pk]), {"file": SimpleUploadedFile("f.jpg", jpeg())}),
        "post",
    ),
    Way("photo_remove", Deed.PHOTOS, lambda o, _: (reverse("photo_remove", args=[_photo(o).person_id]), {}), "post"),
    Way("roster", Deed.ROSTER, _upload, "post"),
    Way("roster_diff", Deed.ROSTER, lambda o, _: (reverse("roster_diff", args=[_dry_run(o).pk]), {})),
    Way(
        "roster_diff",
        Deed.ROSTER,
        lambda o, _: (reverse("roster_diff", args=[_dry_run(o).pk]), {"confirm_removals": "1"}),
        "post",
    ),
    _person("person_book", Deed.MONEY, "post", move="in cash", amount="5,00", token="ab" * 16, confirmed="1"),
    Way("transfer_reverse", Deed.MONEY, lambda o, _: (reverse("transfer_reverse", args=[_payment(o).pk]), {})),
    Way("transfer_reverse", Deed.MONEY, lambda o, _: (reverse("transfer_reverse", args=[_payment(o).pk]), {}), "post"),
    Way("topups", Deed.MONEY, lambda o, _: (reverse("topups"), {"school": o.school.pk, "file": _payments(o)}), "post"),
    Way("topup_file", Deed.MONEY, lambda o, _: (reverse("topup_file", args=[_payments_read(o).pk]), {})),
    Way("topup_file", Deed.MONEY, lambda o, _: (reverse("topup_file", args=[_payments_read(o).pk]), {}), "post"),
    Way(
        "rollover",
        Deed.ROLLOVER,
        lambda o, _: (f"{reverse('rollover')}?school={o.school.code}", {"day": "2027-09-01"}),
        "post",
    ),
    Way(
        "rollover_plan",
        Deed.ROLLOVER,
        lambda o, _: (reverse("rollover_plan", args=[_rollover(o).pk]), {"step": "apply"}),
        "post",
    ),
    Way(
        "leaving", Deed.ROSTER, lambda o, _: (reverse("leaving", args=[_proposal(o).pk]), {"answer": "decline"}), "post"
    ),
)
