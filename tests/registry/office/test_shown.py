"""How a page is shown."""

from django.test import Client

from tests.rig.office import OfficeRig


def test_a_page_has_the_menu_of_whoever_looks(office: OfficeRig) -> None:
    """The frame asks the permissions table as the pages do."""
    client = Client()
    client.force_login(office.users["canteen"])
    page = client.get("/").content.decode()
    assert 'href="/substitutes/"' not in page
    client.force_login(office.users["guard"])
    assert 'href="/substitutes/"' in client.get("/").content.decode()


def test_a_refusal_is_told_once_at_the_head(office: OfficeRig) -> None:
    """It says what was found and what is expected, and does not come back on the page after."""
    client = Client()
    client.force_login(office.users["secretary"])
    address = f"/cards/{office.card.pk}/reopen/"
    told = client.post(address, {}, follow=True, headers={"accept-language": "en"}).content.decode()
    assert 'class="error"' in told
    assert "expected" in told
    assert 'class="error"' not in client.get(f"/cards/{office.card.pk}/").content.decode()


def test_a_page_that_is_not_allowed_or_not_there_says_so_in_the_readers_language(office: OfficeRig) -> None:
    """And leads back to the search."""
    client = Client(headers={"accept-language": "et"})
    client.force_login(office.users["canteen"])
    for address, status, words in (("/rules/", 403, "Ei ole lubatud"), ("/no-such-page/", 404, "Ei leitud")):
        answer = client.get(address)
        assert answer.status_code == status
        assert words in answer.content.decode()
        assert 'href="/"' in answer.content.decode()
