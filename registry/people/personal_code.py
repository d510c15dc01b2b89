"""The personal code (isikukood): checked, and never told again, neither in an error nor in a log (DOMAIN.md §4)."""

from django.utils.translation import gettext as _
from stdnum.ee import ik
from stdnum.exceptions import InvalidChecksum, InvalidComponent, InvalidLength, ValidationError

from registry.refusal import Refused


def checked(text: str, where: str) -> str:
    """Return the eleven digits. Raises Refused, which says what is wrong with a code without telling the code."""
    try:
        return str(ik.validate(text))
    except ValidationError as error:
        raise Refused("bad_personal_code", where, _wrong(error), _("a personal code of 11 digits")) from None


def _wrong(error: ValidationError) -> str:
    if isinstance(error, InvalidLength):
        return _("a code of another length")
    if isinstance(error, InvalidComponent):
        return _("a code with a day of birth that does not exist")
    if isinstance(error, InvalidChecksum):
        return _("a code whose last digit does not fit the others")
    return _("a code that is not all digits")
