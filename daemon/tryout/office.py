"""The back office of `./dev run`, spoken with by its own forms as a browser does: what it takes so that a till shows names."""

import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from typing import Final

from daemon.tryout.fault import StartFault
from daemon.tryout.registry import ADMIN, Registry

_WITHIN_S: Final = 20.0
_TOKEN: Final = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')


class Office:
    """An administrator's browser. Each call raises StartFault where the office does not do what is asked."""

    def __init__(self, registry: Registry) -> None:
        """Log in."""
        self._url = registry.url
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
        self._send("/login/", {"username": ADMIN, "password": registry.password, "next": "/hosts/"})

    def let_show(self, host: str, shows: str) -> None:
        """Let a host show names: `canteen` or `library`."""
        id_ = re.search(rf'href="/hosts/([0-9]+)/"[^>]*>\s*{re.escape(host)}\s*<', self._page("/hosts/"))
        if id_ is None:
            raise StartFault(f"the office lists no host {host}")
        self._send(f"/hosts/{id_[1]}/shows/", {"shows": shows}, form=f"/hosts/{id_[1]}/")

    def add_worker(self, school: str, name: str, pin: str) -> None:
        """Add a worker of the school's canteen, whose PIN opens a shift."""
        self._send(f"/workers/?school={school}", {"name": name, "pin": pin})

    def _send(self, path: str, fields: dict[str, str], form: str = "") -> None:
        """Fill the form that stands on a page, and send it."""
        token = _TOKEN.search(self._page(form or path))
        if token is None:
            raise StartFault(f"the office has no form at {path}")
        body = urllib.parse.urlencode({**fields, "csrfmiddlewaretoken": token[1]}).encode()
        with self._opened(urllib.request.Request(self._url + path, body, {"Referer": self._url})) as page:  # noqa: S310  the registry beside
            if 'class="errorlist' in page or 'class="errornote' in page:
                raise StartFault(f"the office did not take what was entered at {path}")

    def _page(self, path: str) -> str:
        with self._opened(urllib.request.Request(self._url + path)) as page:  # noqa: S310  as above
            return page

    @contextmanager
    def _opened(self, request: urllib.request.Request) -> Iterator[str]:
        try:
            with self._browser.open(request, timeout=_WITHIN_S) as response:
                yield response.read().decode()
        except (OSError, urllib.error.URLError) as error:
            raise StartFault(f"the office does not answer at {request.full_url}: {error}") from error
