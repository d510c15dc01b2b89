"""Who asks, and where they may do what."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from registry.models import Membership, Role
from registry.office.permissions import Deed
from registry.office.visit import Visit, page, visit_of
from tests.rig.office import OfficeRig


def visiting(office: OfficeRig, user: str) -> Visit:
    """Return a user's visit."""
    visit = visit_of(office.users[user], timezone.now())
    assert visit is not None
    return visit


def test_what_may_be_done_is_told_school_by_school(office: OfficeRig) -> None:
    """A secretary of one school is a guard of another, and each only there."""
    Membership.objects.create(school=office.other, user=office.users["secretary"], role=Role.GUARD)
    visit = visiting(office, "secretary")
    assert visit.may(Deed.ROSTER, office.school)
    assert not visit.may(Deed.ROSTER, office.other)
    assert visit.schools(Deed.LEND) == [office.school, office.other]
    assert visit.schools(Deed.EVENTS) == [office.other]


def test_several_roles_at_a_school_add_up(office: OfficeRig) -> None:
    """Whoever is guard and auditor may what either may."""
    Membership.objects.create(school=office.school, user=office.users["guard"], role=Role.AUDITOR)
    visit = visiting(office, "guard")
    assert visit.may(Deed.LEND)
    assert visit.may(Deed.AUDIT)
    assert visit.roles(office.school) == frozenset({"guard", "auditor"})


def test_no_role_bounds_a_superuser(office: OfficeRig) -> None:
    """They serve every school as everything."""
    visit = visiting(office, "superuser")
    assert all(visit.may(deed, office.other) for deed in Deed)
    assert visit.roles(office.school) is None


def test_nobody_without_a_post_visits(office: OfficeRig) -> None:
    """No login, a login that was switched off, and one without a role are all nobody."""
    office.users["it"].is_active = False
    for user in (AnonymousUser(), office.users["it"], office.users["postless"]):
        assert visit_of(user, timezone.now()) is None


def test_a_school_is_found_by_its_code_among_the_users_own(office: OfficeRig) -> None:
    """Another school's code leads nowhere, whether there is such a school or not."""
    visit = visiting(office, "it")
    assert visit.school(Deed.RULES, "mets") == visit.school(Deed.RULES, None) == office.school
    for code in ("ranna", "no-such"):
        with pytest.raises(Http404):
            visit.school(Deed.RULES, code)


def test_a_page_is_refused_before_it_begins(office: OfficeRig) -> None:
    """Who may do its deed nowhere never reaches the page's own code."""

    @page(Deed.RULES)
    def shown(request: HttpRequest, visit: Visit) -> HttpResponse:  # noqa: ARG001 a view's form
        return HttpResponse(visit.actor)

    request = HttpRequest()
    request.user = office.users["it"]
    assert shown(request).status_code == 200
    request.user = office.users["guard"]
    with pytest.raises(PermissionDenied):
        shown(request)
