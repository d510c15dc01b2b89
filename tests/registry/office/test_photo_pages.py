"""The photo's page."""

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from registry.models import Photo
from registry.people import photos
from tests.rig.office import OfficeRig
from tests.rig.people import jpeg


def browser(office: OfficeRig, user: str = "secretary") -> Client:
    """Return a user's browser."""
    client = Client(headers={"accept-language": "en"})
    client.force_login(office.users[user])
    return client


def test_a_photo_is_given_seen_and_removed(office: OfficeRig) -> None:
    """The picture comes with words that keep it out of a browser's store."""
    client, address = browser(office), f"/people/{office.pupil.pk}/photo/"
    assert "There is no photo." in client.get(address).content.decode()
    assert client.get(f"{address}image/").status_code == 404
    answer = client.post(address, {"file": SimpleUploadedFile("õ.jpg", jpeg())}, follow=True)
    assert "Done." in answer.content.decode()
    image = client.get(f"{address}image/")
    assert (image.content, image.headers["Content-Type"]) == (jpeg(), "image/jpeg")
    assert "no-store" in image.headers["Cache-Control"]
    assert image.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get(f"{address}remove/").status_code == 405
    client.post(f"{address}remove/")
    assert not Photo.objects.exists()


def test_what_is_no_photo_is_told_and_nothing_kept(office: OfficeRig) -> None:
    """Another file under a photo's name, or a picture that is too big."""
    client, address = browser(office), f"/people/{office.pupil.pk}/photo/"
    for content, said in ((b"<svg/>", "no JPEG that can be shown"), (bytes(100_001), "at most 100000 bytes")):
        answer = client.post(address, {"file": SimpleUploadedFile("a.jpg", content, "image/jpeg")})
        assert answer.status_code == 400
        assert said in answer.content.decode()
    assert not Photo.objects.exists()


def test_the_page_says_when_photos_are_shown_nowhere(office: OfficeRig) -> None:
    """So that nobody wonders at the till."""
    client, address = browser(office), f"/people/{office.pupil.pk}/photo/"
    assert "shown nowhere" in client.get(address).content.decode()
    office.school.shows_photos = True
    office.school.save()
    assert "shown nowhere" not in client.get(address).content.decode()


def test_a_photo_of_another_school_is_not_seen(office: OfficeRig) -> None:
    """Each school's is its own, also of one pupil."""
    photos.give(office.other, office.pupil, jpeg(), actor="x", now=timezone.now())
    assert browser(office).get(f"/people/{office.pupil.pk}/photo/image/").status_code == 404


def test_a_persons_page_leads_there_for_who_may(office: OfficeRig) -> None:
    """The canteen worker sees names in the office, and no photos."""
    address = f"/people/{office.pupil.pk}/photo/"
    assert address in browser(office).get(f"/people/{office.pupil.pk}/").content.decode()
    assert address not in browser(office, "canteen").get(f"/people/{office.pupil.pk}/").content.decode()
