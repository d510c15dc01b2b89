"""The pages behind "More"."""

from django.test import Client

from tests.rig.office import OfficeRig


def test_each_entry_leads_to_a_page(office: OfficeRig) -> None:
    """No link on the page is dead."""
    client = Client()
    client.force_login(office.users["superuser"])
    page = client.get("/more/")
    for entry in page.context["entries"]:
        assert str(entry.title) in page.content.decode()


def test_the_backup_page_names_the_commands_and_the_directory(office: OfficeRig) -> None:
    """Ready to be copied."""
    client = Client()
    client.force_login(office.users["it"])
    page = client.get("/backup/").content.decode()
    assert "viipe-registry backup --data /" in page
    assert "viipe-registry restore --data /" in page
