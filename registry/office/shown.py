"""How a page is shown: in the office's frame, with the menu of whoever looks."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.functional import Promise

from registry.office.site import office
from registry.refusal import Refused


def show(
    request: HttpRequest, template: str, title: str | Promise, status: int = 200, **context: object
) -> HttpResponse:
    """Answer with a page of `registry/templates/office`."""
    shown = {**office.each_context(request), "title": title, **context}
    return TemplateResponse(request, f"office/{template}.html", shown, status=status)


def say_refused(request: HttpRequest, refused: Refused) -> None:
    """Tell on the next page why something was not done: it changed nothing."""
    messages.error(request, str(refused))
