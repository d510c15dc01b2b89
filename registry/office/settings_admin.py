"""The rarely changed tables as Django's own forms: schools, card products, services, roles and users.

Rows are those of the user's schools. What hosts must know is published with the change, and each change is in the audit.
"""

from datetime import date
from typing import TYPE_CHECKING, Any, Final, cast

from django.contrib.admin import ModelAdmin, TabularInline
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import ForeignKey, Model, QuerySet
from django.forms import BooleanField, CharField, CheckboxSelectMultiple, ModelForm, MultipleChoiceField
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from registry import audit
from registry.events import retention
from registry.models import CardProduct, Enrolment, LibraryIdentifier, Membership, Role, School, Service
from registry.models.choices import CLOSERS
from registry.office.permissions import Deed
from registry.office.visit import Visit, visit_of
from registry.people.classes import by_grade
from registry.people.enrolments import current
from registry.publishing.changes import documents_changed, refresh

if TYPE_CHECKING:
    Base = ModelAdmin[Any]
    Inline = TabularInline[Any, Any]
    Users = UserAdmin[User]
    Form = ModelForm[School]
    MembershipBase = ModelForm[Membership]
else:  # Django's classes take no parameters when they run
    Base, Inline, Users, Form, MembershipBase = ModelAdmin, TabularInline, UserAdmin, ModelForm, ModelForm

_LAST_MONTH: Final = 8


def visiting(request: HttpRequest) -> Visit | None:
    """Return who asks, None for whoever has no post."""
    return visit_of(request.user, timezone.now())


class SchoolRows(Base):
    """A table whose rows belong to a school: seen and changed by those who may do `deed` there."""

    deed = Deed.SETTINGS
    actions = None
    list_per_page = 50

    def school_of(self, row: Any) -> School:  # noqa: ANN401 a row of any of these tables
        """Return the school of a row."""
        return cast("School", row.school)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Give the rows of the user's schools."""
        visit = visiting(request)
        return super().get_queryset(request).filter(school__in=visit.schools(self.deed) if visit else [])

    def formfield_for_foreignkey(self, db_field: ForeignKey[Any, Any], request: HttpRequest, **given: Any) -> Any:  # noqa: ANN401 Django's own form
        """Offer the user's schools alone."""
        visit = visiting(request)
        if db_field.name == "school" and visit:
            given["queryset"] = School.objects.filter(pk__in=[one.pk for one in visit.schools(self.deed)])
        return super().formfield_for_foreignkey(db_field, request, **given)

    def _may(self, request: HttpRequest, row: Model | None = None) -> bool:
        visit = visiting(request)
        return visit is not None and (
            visit.user.is_superuser or visit.may(self.deed, None if row is None else self.school_of(row))
        )

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Show the table to whoever may use it anywhere."""
        return self._may(request)

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let those see a row who may change it."""
        return self._may(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Ask the permissions table."""
        return self._may(request, obj)

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 Django's form
        """Ask the permissions table."""
        return self._may(request)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 Django's form
        """Nothing that hosts or history refer to is deleted."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 Django's own form
        """Keep it and write it into the audit, by the names of the fields alone."""
        super().save_model(request, obj, form, change)
        self.told(request, obj, "changed" if change else "added", form.changed_data)

    def told(self, request: HttpRequest, row: Model, deed: str, fields: list[str]) -> None:
        """Write into the audit."""
        name = f"{row._meta.model_name} {deed}"  # noqa: SLF001 Django's public name for it
        audit.record(request.user.get_username(), name, school=self.school_of(row), object=row, fields=fields)


class SchoolForm(Form):
    """A school; who may close a card is ticked."""

    roles_that_close = MultipleChoiceField(
        label=_("who may close a card"),
        choices=[(str(role), role.label) for role in CLOSERS],
        widget=CheckboxSelectMultiple,
    )

    confirm_removal = BooleanField(
        label=_("events that are older may be removed"),
        required=False,
        help_text=_("Asked for when fewer days are kept: first you are told how many events that would remove."),
    )
    confirm_personal_code = BooleanField(
        label=_("the library's program may be given personal codes"),
        required=False,
        help_text=_("Asked for when the personal code is what is handed over: it then lies on the library's host."),
    )

    class Meta:
        """Which table, which columns."""

        model = School
        fields = "__all__"

    def clean(self) -> dict[str, object]:
        """Tell what fewer days would remove, before they do; let nobody hand over personal codes by a slip."""
        given: dict[str, object] = super().clean() or self.cleaned_data
        is_code = given.get("library_identifier") == LibraryIdentifier.PERSONAL_CODE
        if is_code and "library_identifier" in self.changed_data and not given.get("confirm_personal_code"):
            self.add_error("confirm_personal_code", gettext("Tick to confirm."))
        days = given.get("keep_events_days")
        if self.instance.pk and isinstance(days, int) and not given.get("confirm_removal"):
            shown = retention.preview(School(pk=self.instance.pk, keep_events_days=days), timezone.now())
            if days < self.initial.get("keep_events_days", days) and shown.events:
                told = {"count": shown.events, "day": f"{shown.before:%d.%m.%Y}"}
                self.add_error(
                    "confirm_removal",
                    gettext("%(count)d events before %(day)s would be removed. Tick to confirm.") % told,
                )
        return given


class SchoolAdmin(SchoolRows):
    """Schools: added by superusers, changed by each school's own IT worker."""

    form = SchoolForm
    list_display = ["name", "code"]

    def school_of(self, row: Any) -> School:  # noqa: ANN401 see above
        """A school is its own."""
        return cast("School", row)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Give the user's schools."""
        visit = visiting(request)
        schools = visit.schools(self.deed) if visit else []
        return School.objects.filter(pk__in=[one.pk for one in schools])

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:  # noqa: ARG002 Django's form
        """A new site is the superuser's matter."""
        return bool(getattr(request.user, "is_superuser", False))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ANN401, ARG002 Django's own form
        """The code is the audience of signed documents: it never changes."""
        return ["code"] if obj else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 Django's own form
        """Publish what hosts know of a school."""
        super().save_model(request, obj, form, change)
        refresh(obj)


class CardProductAdmin(SchoolRows):
    """Kinds of card and how long they are valid."""

    list_display = ["name", "school", "kind", "years"]


class ServiceAdmin(SchoolRows):
    """Door, canteen, library and others; their rules are edited elsewhere."""

    list_display = ["name", "code", "school"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:  # noqa: ANN401, ARG002 Django's own form
        """Readers name a service by its code, and its rule belongs to its school."""
        return ["school", "code"] if obj else []

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 Django's own form
        """Publish it."""
        super().save_model(request, obj, form, change)
        documents_changed(obj.school)


class MembershipForm(MembershipBase):
    """What somebody is at a school; a class teacher of which classes, and until when."""

    classes = CharField(
        label=capfirst(_("classes of a class teacher")), required=False, max_length=200, help_text=_("Such as 7a, 7b.")
    )

    class Meta:
        """Which table, which columns."""

        model = Membership
        fields = ["school", "user", "role", "classes", "classes_until"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  Django's own arguments
        """Show the classes as they are entered."""
        super().__init__(*args, **kwargs)
        self.initial["classes"] = ", ".join(self.instance.classes)

    def clean(self) -> dict[str, object]:
        """A class teacher has classes that there are, until the end of the school year unless another day is said; nobody else has any."""
        given: dict[str, object] = super().clean() or self.cleaned_data
        names = [name.strip() for name in str(given.get("classes", "")).split(",") if name.strip()]
        school = given.get("school") or getattr(self.instance, "school", None)
        if given.get("role") != Role.CLASS_TEACHER:
            return {**given, "classes": [], "classes_until": None}
        if isinstance(school, School):
            today = school.local_day(timezone.now())
            known = Enrolment.objects.filter(current(school, today)).exclude(class_name="")
            there = sorted(set(known.values_list("class_name", flat=True)), key=by_grade)
            if not names or not set(names) <= set(there):
                self.add_error("classes", gettext("Expected some of: %(classes)s.") % {"classes": ", ".join(there)})
            given["classes_until"] = given.get("classes_until") or _end_of_year(today)
        return {**given, "classes": names}


def _end_of_year(today: date) -> date:
    """Return the last day of the school year: on the next, classes have moved up (DOMAIN.md, trap 7)."""
    return date(today.year + (today.month > _LAST_MONTH), _LAST_MONTH, 31)


class MembershipAdmin(SchoolRows):
    """Who serves which school as what; taking a role away is the one deletion here."""

    form = MembershipForm
    list_display = ["user", "role", "school", "classes", "classes_until"]
    list_select_related = ["user", "school"]

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Roles are given and taken."""
        return self._may(request, obj)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:  # noqa: ANN401 Django's own form
        """Take the role, and write that down."""
        self.told(request, obj, "removed", [obj.role])
        super().delete_model(request, obj)


class MembershipInline(Inline):
    """A new user's roles, where the login is made."""

    model = Membership
    form = MembershipForm
    extra = 1


class OfficeUserAdmin(Users):
    """Logins, for superusers: a name, a password, roles at schools. Django's own permissions are not used."""

    inlines = [MembershipInline]
    list_display = ["username", "first_name", "last_name", "is_active", "is_superuser"]
    list_filter = ()
    filter_horizontal = ()
    actions = None
    fieldsets = [(None, {"fields": ["username", "password", "first_name", "last_name", "is_active", "is_superuser"]})]

    def _is_superuser(self, request: HttpRequest) -> bool:
        return bool(request.user.is_active and getattr(request.user, "is_superuser", False))

    def has_module_permission(self, request: HttpRequest) -> bool:
        """Superusers alone."""
        return self._is_superuser(request)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401, ARG002 Django's own form
        """Superusers alone."""
        return self._is_superuser(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ANN401, ARG002 Django's own form
        """A login is switched off, never deleted: the audit names it."""
        return False

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:  # noqa: ANN401, FBT001 Django's own form
        """Keep it and write that down."""
        super().save_model(request, obj, form, change)
        audit.record(request.user.get_username(), "user changed" if change else "user added", object=obj)


TABLES: tuple[tuple[type[Model], type[Base]], ...] = (
    (School, SchoolAdmin),
    (CardProduct, CardProductAdmin),
    (Service, ServiceAdmin),
    (Membership, MembershipAdmin),
    (User, OfficeUserAdmin),
)
