"""One request to the back office: who asks, when, and at which schools they may do what."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import wraps
from typing import Concatenate, ParamSpec, cast

from django.contrib.auth.models import AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import timezone

from registry.models import Membership, Role, School
from registry.office.permissions import Deed, allowed

P = ParamSpec("P")
Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Post:
    """What a user is at one school."""

    school: School
    roles: frozenset[str]
    classes: frozenset[str] = frozenset()
    """Of which classes the user is the teacher today."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Who asks, and when (aware). `posts` are the schools they serve; a superuser serves all of them as everything."""

    user: User
    posts: tuple[Post, ...]
    now: datetime

    @property
    def actor(self) -> str:
        """The user's name, as steps and audit entries bear it."""
        return self.user.get_username()

    def may(self, deed: Deed, school: School | None = None) -> bool:
        """Tell whether this may be done at a school, or at any when none is named."""
        return any(
            self.user.is_superuser or any(allowed(role, deed, post.school.roles_that_close) for role in post.roles)
            for post in self.posts
            if school is None or post.school.pk == school.pk
        )

    def schools(self, deed: Deed) -> list[School]:
        """Return the schools where this may be done, by name."""
        return [post.school for post in self.posts if self.may(deed, post.school)]

    def school(self, deed: Deed, code: str | None) -> School:
        """Return the school of this code, or the first where the deed may be done. Raises PermissionDenied, Http404."""
        schools = self.schools(deed)
        if not schools:
            raise PermissionDenied
        if not code:
            return schools[0]
        chosen = next((school for school in schools if school.code == code), None)
        if chosen is None:
            raise Http404
        return chosen

    def roles(self, school: School) -> frozenset[str] | None:
        """Return what the user is at a school; None is a superuser, whom no role bounds."""
        if self.user.is_superuser:
            return None
        return next((post.roles for post in self.posts if post.school.pk == school.pk), frozenset())

    def classes(self, school: School) -> frozenset[str] | None:
        """Return the classes whose pupils the user may be told of at a school; None is all of them."""
        if self.may(Deed.REPORT_PERSONS, school):
            return None
        return next((post.classes for post in self.posts if post.school.pk == school.pk), frozenset())

    def require(self, deed: Deed, school: School) -> None:
        """Raise PermissionDenied unless this may be done at the school."""
        if not self.may(deed, school):
            raise PermissionDenied

    def today(self, school: School) -> date:
        """Return the school's own date."""
        return school.local_day(self.now)


def visit_of(user: User | AnonymousUser, now: datetime) -> Visit | None:
    """Return the visit of a user who serves at least one school (a superuser needs none), else None."""
    if not isinstance(user, User) or not user.is_active:
        return None
    posts = _all_schools() if user.is_superuser else _posts(Membership.objects.filter(user=user), now)
    return Visit(user, posts, now) if posts or user.is_superuser else None


def _all_schools() -> tuple[Post, ...]:
    return tuple(Post(school, frozenset()) for school in School.objects.order_by("name"))


def _posts(memberships: QuerySet[Membership], now: datetime) -> tuple[Post, ...]:
    found: dict[int, tuple[School, set[str], set[str]]] = {}
    for membership in memberships.select_related("school").order_by("school__name"):
        school, roles, classes = found.setdefault(membership.school.pk, (membership.school, set(), set()))
        roles.add(membership.role)
        until = membership.classes_until
        if membership.role == Role.CLASS_TEACHER and (until is None or school.local_day(now) <= until):
            classes.update(membership.classes)
    return tuple(Post(school, frozenset(roles), frozenset(classes)) for school, roles, classes in found.values())


def page(
    deed: Deed, clock: Clock = timezone.now
) -> Callable[
    [Callable[Concatenate[HttpRequest, Visit, P], HttpResponseBase]],
    Callable[Concatenate[HttpRequest, P], HttpResponseBase],
]:
    """Make a view of a function of (request, visit, …): refused (403) to who may do `deed` at no school at all.

    What it shows or does of one school the function asks again for that school. The login is the site's matter.
    """

    def made(
        view: Callable[Concatenate[HttpRequest, Visit, P], HttpResponseBase],
    ) -> Callable[Concatenate[HttpRequest, P], HttpResponseBase]:
        @wraps(view)
        def answer(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            visit = visit_of(request.user, clock())
            if visit is None or not (visit.user.is_superuser or visit.may(deed)):
                raise PermissionDenied
            return view(request, visit, *args, **kwargs)

        return cast("Callable[Concatenate[HttpRequest, P], HttpResponseBase]", answer)

    return made
