"""What the pages of reports have in common: of which service and days, how a table is shown, and the same table as a file."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from policy.sheet import MEDIA_TYPES, Cell, Form, Sheet, decimal, written
from registry.models import School, Service
from registry.office.visit import Visit
from registry.reports.tables import MOST_DAYS, NAMES, Report

if TYPE_CHECKING:
    _Services = forms.ModelChoiceField[Service]
else:  # Django's class takes no parameter when it runs
    _Services = forms.ModelChoiceField

_USUAL: Final = "canteen"
_FIRST: Final = date(2000, 1, 1)
_LAST: Final = date(2149, 12, 31)


def day_field(label: object) -> forms.DateField:
    """Return a field of one day."""
    return forms.DateField(label=label, widget=forms.DateInput({"type": "date"}, format="%Y-%m-%d"))  # type: ignore[arg-type]  # lazy


class RangeForm(forms.Form):
    """The days from one to another, both included; not so many that nobody would read it."""

    first = day_field(_("from"))
    last = day_field(_("until"))

    def clean(self) -> dict[str, object]:
        """Refuse days that are no range."""
        given: dict[str, object] = super().clean() or self.cleaned_data
        first, last = given.get("first"), given.get("last")
        if isinstance(first, date) and isinstance(last, date):
            if not _FIRST <= first <= last <= _LAST:
                self.add_error("last", gettext("The last day lies before the first."))
            elif (last - first) >= timedelta(days=MOST_DAYS):
                self.add_error("last", gettext("At most %(days)d days at once.") % {"days": MOST_DAYS})
        return given


class ServiceField(_Services):
    """One of a school's services, by its name: whose school it is stands above."""

    def label_from_instance(self, obj: Service) -> str:
        """Name it."""
        return obj.name


class ReportForm(RangeForm):
    """For whom, of which service and which days."""

    kind = forms.ChoiceField(label=_("report"))
    service = ServiceField(label=_("service"), queryset=Service.objects.none(), empty_label=None)

    def __init__(self, data: object, services: QuerySet[Service], kinds: Sequence[Report]) -> None:
        """Offer what the user may see."""
        super().__init__(data)  # type: ignore[arg-type]  # a QueryDict, or what stands for one
        kind, service = self.fields["kind"], self.fields["service"]
        assert isinstance(kind, forms.ChoiceField)  # noqa: S101  as they are laid down above
        assert isinstance(service, forms.ModelChoiceField)  # noqa: S101  the same
        kind.choices = [(str(each), NAMES[each]) for each in kinds]
        service.queryset = services


def services_of(school: School) -> QuerySet[Service]:
    """Return the services of a school, by name."""
    return Service.objects.filter(school=school).select_related("school").order_by("name", "pk")


def canteen_of(school: School) -> Service | None:
    """Return the service by the name that a canteen has."""
    return services_of(school).filter(code=_USUAL).first()


def usual_service(school: School) -> Service | None:
    """Return the service that is meant when none is named: the canteen, else the first."""
    return canteen_of(school) or services_of(school).first()


def chosen_service(request: HttpRequest, school: School) -> Service | None:
    """Return the service that was asked for by its code, else the usual one."""
    code = request.GET.get("service", "")
    return services_of(school).filter(code=code).first() or usual_service(school)


def kept_since(visit: Visit, school: School) -> date:
    """Return the first day whose events are all still there."""
    return visit.today(school) - school.events_kept_for + timedelta(days=1)


def number_from(request: HttpRequest, name: str, default: int, most: int) -> int:
    """Return a whole number from 1 to `most` of the address; whatever else stands there is the default."""
    text = request.GET.get(name, "")
    return min(max(int(text[:9]), 1), most) if text.isascii() and text.isdigit() else default


def as_file(sheet: Sheet, form: Form, visit: Visit, name: str) -> HttpResponse:
    """Answer with a table as a file to keep; `name` is without its ending."""
    answer = HttpResponse(written(sheet, form, visit.now), content_type=MEDIA_TYPES[form])
    answer["Content-Disposition"] = f'attachment; filename="{name}.{form}"'
    return answer


def file_form(request: HttpRequest) -> Form | None:
    """Return the form in which a file is asked for; None is the page."""
    asked = request.GET.get("form", "")
    return Form(asked) if asked in set(Form) else None


def shown_head(sheet: Sheet) -> list[tuple[str, bool]]:
    """Return the names of the columns, and whether what stands below is a number."""
    first = sheet.rows[0] if sheet.rows else (None,) * len(sheet.columns)
    return [(name, isinstance(cell, int | Decimal)) for name, cell in zip(sheet.columns, first, strict=True)]


def shown_rows(rows: Sequence[Sequence[Cell]]) -> list[list[tuple[str, bool]]]:
    """Return the cells as a page shows them, and whether each is a number."""
    return [[(_shown(cell), isinstance(cell, int | Decimal)) for cell in row] for row in rows]


def _shown(cell: Cell) -> str:
    if isinstance(cell, Decimal):
        return decimal(cell)
    if isinstance(cell, datetime):
        return f"{cell:%d.%m.%Y %H:%M}"
    if isinstance(cell, date):
        return f"{cell:%d.%m.%Y}"
    return "" if cell is None else str(cell)
