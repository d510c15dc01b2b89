"""Finding people and cards."""

from datetime import UTC, date, datetime

import pytest
from django.test import Client

from registry.models import Enrolment
from registry.office import find
from registry.office.permissions import Deed
from registry.office.visit import visit_of
from tests.rig.office import OfficeRig


def found(office: OfficeRig, user: str, text: str) -> str:
    """Search as a user."""
    client = Client()
    client.force_login(office.users[user])
    answer = client.get("/", {"q": text}, headers={"accept-language": "en"})
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("text", ["tamm", "TAM", "õnne", "ÕNNE", "Õnne Tamm", "tamm 7b", "M-0001", "0001", "7B"])
def test_a_person_is_found_by_name_class_and_card_number(office: OfficeRig, text: str) -> None:
    """Part of a name in any case, with and without Estonian letters, a whole class, part of a card's number."""
    page = found(office, "secretary", text)
    assert "Õnne Tamm" in page
    assert "M-0001" in page


def test_who_does_not_match_is_not_shown(office: OfficeRig) -> None:
    """All words must match."""
    assert "Õnne Tamm" not in found(office, "secretary", "tamm 8A")
    assert "Jaan Kask" not in found(office, "secretary", "tamm")


def test_a_substitute_is_found_by_its_number(office: OfficeRig) -> None:
    """Cards of nobody are found too."""
    assert "A-01" in found(office, "guard", "a-01")


def test_the_people_of_another_school_are_not_found(office: OfficeRig) -> None:
    """Each sees their own schools."""
    page = found(office, "stranger", "tamm")
    assert "Õnne Tamm" not in page
    assert "M-0001" not in page


def test_a_list_shows_neither_code_nor_address_nor_uid(office: OfficeRig) -> None:
    """What a list does not need stays where it is, whoever looks."""
    page = found(office, "superuser", "tamm").lower()
    assert "61001010003" not in page
    assert "onne@example.ee" not in page
    assert "ebf2ce70" not in page


def test_who_left_yesterday_is_found_no_more_by_whom_the_present_concerns(office: OfficeRig) -> None:
    """Yesterday is the school's own: at half past midnight in Tallinn it is still the day before in UTC."""
    stay = Enrolment.objects.filter(person__family_name="Tamm").get()
    stay.valid_until = date(2026, 11, 23)
    stay.save()
    for hour, is_there in ((21, True), (22, False)):
        visit = visit_of(office.users["guard"], datetime(2026, 11, 23, hour, 30, tzinfo=UTC))
        assert visit is not None
        assert (stay in find._enrolments(visit, Deed.FIND)) is is_there
