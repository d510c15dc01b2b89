"""The newest state of a school as its hosts are to hold it: generation, version and digest."""

from typing import Final

from registry.models import RootDocument, School, SiteState
from sync.wire.root import read_unverified

# In SQL, since each host that connects and each delta asks for it.
_STATE: Final = "SELECT * FROM registry_sitestate WHERE school_id = %s"


def state_of(school: School) -> SiteState:
    """Return the state; that of a school of which nothing was published yet is version 0."""
    for state in SiteState.objects.raw(_STATE, [school.pk]):
        return state
    return SiteState(school=school, generation=_generation())


def locked_state(school: School) -> SiteState:
    """Return the state, locked until the running transaction ends."""
    state = SiteState.objects.select_for_update().filter(school=school).first()
    if state is None:
        SiteState.objects.get_or_create(school=school, defaults={"generation": _generation()})
        state = SiteState.objects.select_for_update().get(school=school)
    return state


def _generation() -> int:
    """Return the generation that the newest root document opens: a new school begins in it."""
    newest = RootDocument.objects.order_by("-version").first()
    return 1 if newest is None else read_unverified(bytes(newest.document)).generation
