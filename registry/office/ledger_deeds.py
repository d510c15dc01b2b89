"""Money moved by the office (V6.5): entered, shown once more, booked once however often it is pressed; and taken back by a reversal."""

import secrets
from typing import Any, Final

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from registry.ledger import accounts, booking
from registry.ledger.amounts import cents_of, euros
from registry.models import AccountKind, Person, School, Transfer
from registry.office.ledger_pages import ACTS, chosen
from registry.office.permissions import Deed
from registry.office.shown import say_refused, show
from registry.office.visit import Visit, page
from registry.refusal import Refused

_TOKEN_BYTES: Final = 16
_MOVES: Final = (
    ("in cash", _("paid in, in cash")),
    ("in transfers", _("paid in, by transfer")),
    ("out cash", _("paid out, in cash")),
    ("out transfers", _("paid out, by transfer")),
    ("for", _("corrected in the person's favour")),
    ("against", _("corrected against the person")),
)


class MoneyForm(forms.Form):
    """What was paid. `token` is what the form is known by: it is booked once."""

    move = forms.ChoiceField(label=_("what"), choices=_MOVES)
    amount = forms.CharField(
        label=_("amount in euros"),
        max_length=10,
        widget=forms.TextInput({"inputmode": "decimal", "autocomplete": "off"}),
        help_text=_("Such as 5 or 5,50; at most 500 €."),
    )
    reference = forms.CharField(
        label=_("receipt number, or why it is corrected"), max_length=booking.MAX_REFERENCE, required=False
    )
    token = forms.CharField(max_length=64, min_length=2 * _TOKEN_BYTES, widget=forms.HiddenInput())

    def clean_amount(self) -> int:
        """Read the amount as cents."""
        cents = cents_of(self.cleaned_data["amount"].strip().removesuffix("€").strip())
        if cents is None or not 0 < cents <= booking.MOST_CENTS:
            most = {"most": euros(booking.MOST_CENTS)}
            raise ValidationError(_("expected an amount from 0,01 to %(most)s") % most)
        return cents

    def clean(self) -> dict[str, Any]:
        """A correction says why."""
        given = super().clean() or {}
        if given.get("move") in {"for", "against"} and not given.get("reference", "").strip():
            self.add_error("reference", gettext("expected why it is corrected"))
        return given


class ShownForm(MoneyForm):
    """The same, shown once more before it is booked."""

    confirmed = forms.CharField(initial="1", widget=forms.HiddenInput())

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  Django's own arguments
        """Hide what was entered: it is told in words above."""
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.widget = forms.HiddenInput()


@page(Deed.MONEY)
def person_book(request: HttpRequest, visit: Visit, person_id: int) -> HttpResponse:
    """Enter what was paid; see it once more; book it."""
    person, school = chosen(request, visit, person_id, Deed.MONEY)
    back_to = f"{reverse('person_money', args=[person.pk])}?school={school.code}"
    title = _("Money of %(person)s") % {"person": person}
    if request.method != "POST":
        form = MoneyForm(initial={"token": secrets.token_hex(_TOKEN_BYTES)})
        return show(request, "confirm", title, form=form, back_to=back_to, button=_("Continue"), about=school.name)
    form = MoneyForm(request.POST)
    if not form.is_valid():
        return show(request, "confirm", title, 400, form=form, back_to=back_to, button=_("Continue"), about=school.name)
    if request.POST.get("confirmed") != "1":
        entered = {name: request.POST.get(name, "") for name in form.fields}
        shown = ShownForm(initial={**entered, "confirmed": "1"})
        about = _told(school, person, form.cleaned_data)
        return show(request, "confirm", title, about=about, form=shown, back_to=back_to, button=_("Book"))
    try:
        transfer = _booked(visit, school, person, form.cleaned_data)
    except Refused as refused:
        say_refused(request, refused)
    else:
        left = euros(accounts.balance_cents(accounts.of_person(school, person)))
        said = {"what": ACTS[transfer.act], "amount": euros(transfer.cents), "left": left}
        messages.success(request, gettext("%(amount)s %(what)s. On the account: %(left)s.") % said)
    return redirect(back_to)


@page(Deed.MONEY)
def transfer_reverse(request: HttpRequest, visit: Visit, transfer_id: int) -> HttpResponse:
    """Take a transfer back, after it is shown once more."""
    transfer = get_object_or_404(
        Transfer.objects.select_related("school", "source__person", "target__person"), pk=transfer_id
    )
    visit.require(Deed.MONEY, transfer.school)
    person = transfer.source.person or transfer.target.person
    back_to = reverse("accounts") + f"?school={transfer.school.code}"
    if person is not None:
        back_to = f"{reverse('person_money', args=[person.pk])}?school={transfer.school.code}"
    if request.method == "POST":
        may_owe = request.POST.get("may_owe") == "on"
        try:
            booking.reverse(transfer, actor=visit.actor, now=visit.now, may_owe=may_owe)
        except Refused as refused:
            say_refused(request, refused)
        else:
            messages.success(request, gettext("Reversed."))
        return redirect(back_to)
    said = {"what": ACTS[transfer.act], "amount": euros(transfer.cents), "who": person or _("nobody known")}
    about = _("%(amount)s %(what)s, %(who)s. The entry stays, and another reverses it.") % said
    title = button = _("Reverse an entry")
    form = OwingForm() if _would_owe(transfer, visit) else None
    return show(request, "confirm", title, about=about, form=form, back_to=back_to, button=button, is_danger=True)


class OwingForm(forms.Form):
    """Asked where somebody would owe then."""

    may_owe = forms.BooleanField(label=_("also if the account is below zero then"), required=False)


def _would_owe(transfer: Transfer, visit: Visit) -> bool:
    if transfer.target.kind != AccountKind.PREPAID:
        return False
    return accounts.available_cents(transfer.target, visit.now) < transfer.cents


def _told(school: School, person: Person, given: dict[str, Any]) -> str:
    """Tell in words what would be booked."""
    account = accounts.found(school, person)
    before = accounts.balance_cents(account) if account else 0
    after = before + (given["amount"] if given["move"] in {"in cash", "in transfers", "for"} else -given["amount"])
    said = {
        "amount": euros(given["amount"]),
        "what": dict(_MOVES)[given["move"]],
        "person": person,
        "before": euros(before),
        "after": euros(after),
    }
    return _("%(person)s: %(amount)s %(what)s. On the account: %(before)s, then %(after)s.") % said


def _booked(visit: Visit, school: School, person: Person, given: dict[str, Any]) -> Transfer:
    order = booking.Order(
        given["amount"],
        f"form {given['token']}",
        visit.today(school),
        visit.actor,
        visit.now,
        given["reference"].strip(),
    )
    direction, _space, way = given["move"].partition(" ")
    if direction in {"for", "against"}:
        return booking.correct(school, person, order, is_in_favour=direction == "for")
    book = booking.top_up if direction == "in" else booking.pay_out
    return book(school, person, order, AccountKind(way))
