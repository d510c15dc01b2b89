"""Money moved by the office."""

from collections.abc import Mapping

from django.test import Client

from registry.ledger import accounts
from registry.ledger.booking import MOST_CENTS
from registry.models import AuditEntry, Transfer
from tests.rig.office import OfficeRig

TOKEN = "ab" * 16


def secretary(office: OfficeRig) -> Client:
    """Return the secretary's browser."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["secretary"])
    return client


def entered(**more: str) -> Mapping[str, str]:
    """What is typed into the form."""
    return {"move": "in cash", "amount": "5,50", "reference": "K-17", "token": TOKEN, **more}


def balance(office: OfficeRig) -> int:
    """Return what is on the pupil's account."""
    return accounts.balance_cents(accounts.of_person(office.school, office.pupil))


def test_V6_5_a_payment_is_shown_once_more_then_booked(office: OfficeRig) -> None:
    """Entered, nothing is booked; confirmed, it is; the next page says what is on the account."""
    client, address = secretary(office), f"/people/{office.pupil.pk}/money/book/"
    assert 'name="token"' in client.get(address).content.decode()
    page = client.post(address, entered()).content.decode()
    assert "Õnne Tamm: 5,50 € paid in, in cash. On the account: 0,00 €, then 5,50 €." in page
    assert not Transfer.objects.exists()
    page = client.post(address, entered(confirmed="1"), follow=True).content.decode()
    assert "5,50 € paid in. On the account: 5,50 €." in page
    transfer = Transfer.objects.get()
    assert (transfer.actor, transfer.reference, transfer.cents) == ("secretary", "K-17", 550)


def test_pressing_twice_books_once(office: OfficeRig) -> None:
    """The form is known by its token, also where the answer was lost."""
    client, address = secretary(office), f"/people/{office.pupil.pk}/money/book/"
    for _ in range(2):
        client.post(address, entered(confirmed="1"))
    assert balance(office) == 550
    page = client.post(address, entered(confirmed="1", amount="6"), follow=True).content.decode()
    assert 'class="error"' in page
    assert balance(office) == 550


def test_a_bad_amount_is_told_in_its_place(office: OfficeRig) -> None:
    """Nothing, too much, and what is no number; a correction without a reason."""
    client, address = secretary(office), f"/people/{office.pupil.pk}/money/book/"
    for more in ({"amount": "0"}, {"amount": "500,01"}, {"amount": "viis"}, {"move": "for", "reference": " "}):
        answer = client.post(address, entered(confirmed="1", **more))
        assert answer.status_code == 400
        assert "expected" in answer.content.decode()
    assert not Transfer.objects.exists()
    assert "500 €" in client.get(address).content.decode()
    assert MOST_CENTS == 50_000


def test_money_is_paid_out_and_corrected(office: OfficeRig) -> None:
    """Never more out than there is; a correction both ways, with its reason."""
    client, address = secretary(office), f"/people/{office.pupil.pk}/money/book/"
    moves = [("in transfers", "5"), ("out cash", "2"), ("against", "0,30"), ("for", "0,05"), ("out transfers", "9")]
    for number, (move, amount) in enumerate(moves):
        client.post(address, entered(confirmed="1", move=move, amount=amount, token=f"{number:032x}"))
    assert balance(office) == 500 - 200 - 30 + 5
    told = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"prepaid top up", "prepaid pay out", "prepaid correction"} <= told


def test_a_mistake_is_taken_back(office: OfficeRig) -> None:
    """Shown first; both entries stay; what is spent is taken back only on purpose."""
    client = secretary(office)
    client.post(f"/people/{office.pupil.pk}/money/book/", entered(confirmed="1"))
    address = f"/money/transfers/{Transfer.objects.get().pk}/reverse/"
    page = client.get(address).content.decode()
    assert "5,50 € paid in, Õnne Tamm." in page
    assert "may_owe" not in page
    client.post(f"/people/{office.pupil.pk}/money/book/", entered(confirmed="1", move="out cash", token="cd" * 16))
    assert "may_owe" in client.get(address).content.decode()
    assert 'class="error"' in client.post(address, follow=True).content.decode()
    assert balance(office) == 0
    assert "Reversed." in client.post(address, {"may_owe": "on"}, follow=True).content.decode()
    assert balance(office) == -550
    assert Transfer.objects.count() == 3
