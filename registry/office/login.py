"""The office's login: a name and a password, and not too many wrong ones."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from registry.throttle import Throttle

_WITHIN: Final = timedelta(minutes=5)
# By name and address together, or a stranger could keep a person out; by address too, or they could try one password with all names.
_OF_NAME: Final = Throttle(10, _WITHIN)
_OF_ADDRESS: Final = Throttle(100, _WITHIN)
_NAME_MAX: Final = 150


class LoginForm(AuthenticationForm):
    """Refuses even the right password for a while, when too many wrong ones came for the name from the address."""

    now: Callable[[], datetime] = staticmethod(timezone.now)

    def clean(self) -> dict[str, object]:
        """Check name and password. Raises ValidationError."""
        address = address_of(self.request) if self.request is not None else ""
        who = (str(self.cleaned_data.get("username", ""))[:_NAME_MAX].casefold(), address)
        now = self.now()
        if _OF_NAME.has_enough(who, now) or _OF_ADDRESS.has_enough(address, now):
            raise ValidationError(
                _("Too many wrong passwords. Wait %(minutes)d minutes, then try again."),
                code="too_often",
                params={"minutes": _WITHIN // timedelta(minutes=1)},
            )
        try:
            cleaned: dict[str, object] = super().clean()
        except ValidationError:
            _OF_NAME.failed(who, now)
            _OF_ADDRESS.failed(address, now)
            raise
        _OF_NAME.forget(who)
        return cleaned


def address_of(request: HttpRequest) -> str:
    """Return whence it comes: of a proxy that we trust, what it says last, for what stands before that anybody may have written."""
    meta: Mapping[str, str] = request.META
    said = meta.get("HTTP_X_FORWARDED_FOR", "") if settings.SECURE_PROXY_SSL_HEADER else ""
    return said.rpartition(",")[2].strip() or meta.get("REMOTE_ADDR", "")
