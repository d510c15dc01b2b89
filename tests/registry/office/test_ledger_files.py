"""The operating company's files in the office."""

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from registry.models import TopUpFile, Transfer
from tests.rig.office import OfficeRig


def secretary(office: OfficeRig) -> Client:
    """Return the secretary's browser."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users["secretary"])
    return client


def upload(client: Client, office: OfficeRig, lines: str) -> str:
    """Bring a file; return the page that follows."""
    content = f"reference;external_id;amount;date\n{lines}".encode("cp1257")
    file = SimpleUploadedFile("maksed.csv", content)
    return client.post("/money/files/", {"school": office.school.pk, "file": file}, follow=True).content.decode()


def test_V6_5_a_file_is_seen_then_booked_once(office: OfficeRig) -> None:
    """The preview names persons and sums; the button books; brought again, everything is booked already."""
    client, lines = secretary(office), f"R1;{office.pupil.external_id};5,00;{timezone.localdate()}\n"
    page = upload(client, office, lines)
    assert "1 payment, 5,00 € in all." in page
    assert "Õnne Tamm" in page
    assert not Transfer.objects.exists()
    address = f"/money/files/{TopUpFile.objects.get().pk}/"
    page = client.post(address, follow=True).content.decode()
    assert "1 payment booked." in page
    assert "by secretary." in page
    client.post(address)
    assert Transfer.objects.count() == 1
    assert "Everything is booked already." in upload(client, office, lines)
    assert "1 is booked already" in upload(client, office, lines + lines.replace("R1", "R2"))


def test_bad_lines_are_told_and_there_is_no_button(office: OfficeRig) -> None:
    """Line, column, value and what is expected; a press all the same books nothing."""
    client = secretary(office)
    page = upload(client, office, f"R1;{office.pupil.external_id};5;{timezone.localdate()}\nR2;X-9;x;1.1.2001\n")
    assert "line 3, amount: found x, expected an amount from 0,01 to 500,00 €" in page
    assert "line 3, date" in page
    assert ">Book<" not in page
    page = client.post(f"/money/files/{TopUpFile.objects.get().pk}/", follow=True).content.decode()
    assert 'class="error"' in page
    assert not Transfer.objects.exists()


def test_a_form_without_a_file_is_told(office: OfficeRig) -> None:
    """Nothing is kept."""
    assert secretary(office).post("/money/files/", {"school": office.school.pk}).status_code == 400
    assert not TopUpFile.objects.exists()
