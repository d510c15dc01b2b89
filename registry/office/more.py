"""The pages behind "More", each with a sentence, and how to keep a copy of the registry."""

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from registry.data_dir import data_dir
from registry.office.menu import menu
from registry.office.permissions import Deed
from registry.office.shown import show
from registry.office.visit import Visit, page


@page(Deed.FIND)
def more(request: HttpRequest, visit: Visit) -> HttpResponse:
    """List what else this user may open."""
    return show(request, "more", _("More"), entries=menu(visit))


@page(Deed.HOSTS)
def backup(request: HttpRequest, visit: Visit) -> HttpResponse:  # noqa: ARG001 Django's form of a view
    """Say by which commands a copy is made, and what comes back after a restore."""
    return show(request, "backup", _("Backup"), folder=data_dir())
