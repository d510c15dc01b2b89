"""Which address leads where: the back office at the root, the hosts' API below `/v1/` (served beside Django, `registry.asgi`)."""

from django.urls import URLPattern, URLResolver, include, path

from registry.office.pages import PAGES
from registry.office.site import office

urlpatterns: list[URLPattern | URLResolver] = [
    *PAGES,
    path("language/", include("django.conf.urls.i18n")),
    path("", office.urls),
]
