"""Which address leads where."""

from django.urls import reverse

from registry.office.pages import PAGES


def test_the_search_is_the_first_page() -> None:
    """What the office needs ten times a day opens first."""
    assert reverse("find") == reverse("admin:index") == "/"


def test_every_page_has_a_name_of_its_own() -> None:
    """No two pages share a name, and none begins below the hosts' API."""
    names = [page.name for page in PAGES]
    assert len(names) == len(set(names))
    assert not any(str(page.pattern).startswith("v1") for page in PAGES)
