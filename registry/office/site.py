"""The back office as Django's admin knows it: its own name, its own door (a post at a school, not the staff flag), its own frame."""

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from registry.data_dir import LANGUAGES
from registry.office.login import LoginForm
from registry.office.menu import menu
from registry.office.visit import visit_of


class Office(AdminSite):
    """Viipe's admin: whoever serves at least one school comes in; `registry.office.permissions` says what for."""

    site_title = "Viipe"
    site_header = "Viipe"
    index_title = _("Find")
    site_url = None
    enable_nav_sidebar = False
    login_form = LoginForm

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in superusers and those with a post at a school."""
        return visit_of(request.user, timezone.now()) is not None

    def each_context(self, request: HttpRequest) -> dict[str, object]:
        """Give each page its menu: what this user may open."""
        visit = visit_of(request.user, timezone.now())
        entries = menu(visit) if visit else []
        return {
            **super().each_context(request),
            "menu": [entry for entry in entries if entry.is_daily],
            "languages": [(code, code.upper()) for code in LANGUAGES],
            "has_more": any(not entry.is_daily for entry in entries),
            "visit": visit,
        }


office = Office()
