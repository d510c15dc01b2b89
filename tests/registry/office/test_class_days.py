"""Days of a class."""

from django.test import Client

from registry.models import ClassDay, PublishedRow
from tests.rig.office import OfficeRig


def test_a_day_is_added_published_and_removed(office: OfficeRig) -> None:
    """Hosts know of a class's trip as soon as it is entered, and forget it as soon as it is taken away."""
    client = Client()
    client.force_login(office.users["secretary"])
    client.post("/class-days/", {"class_name": "7B", "day": "2031-05-02", "day_type": "trip"})
    added = ClassDay.objects.get()
    document = PublishedRow.objects.get(school=office.school, table="documents", key="calendar")
    assert (document.row or {})["class_days"] == [{"class": "7B", "day": "2031-05-02", "day_type": "trip"}]
    client.post(f"/class-days/{added.pk}/remove/")
    document.refresh_from_db()
    assert (document.row or {})["class_days"] == []


def test_the_same_day_twice_is_told(office: OfficeRig) -> None:
    """A class has one kind of day."""
    client = Client()
    client.force_login(office.users["secretary"])
    posted = {"class_name": "7B", "day": "2031-05-02", "day_type": "trip"}
    client.post("/class-days/", posted)
    assert client.post("/class-days/", posted | {"day_type": "exam_day"}).status_code == 400
    assert ClassDay.objects.get().day_type == "trip"
