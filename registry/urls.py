"""Which address leads where: the back office at the root, the hosts' API below `/v1/` (served beside Django, `registry.asgi`)."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, path

urlpatterns: list[URLPattern | URLResolver] = [path("", admin.site.urls)]
