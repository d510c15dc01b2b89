"""The login: wrong passwords are bounded, and nobody keeps another out."""

import pytest
from django.http import HttpRequest
from django.test import Client, override_settings

from registry.office.login import address_of
from tests.rig.office import PASSWORD, OfficeRig

SAID = {"et": "Liiga palju valesid paroole", "en": "Too many wrong passwords", "ru": "Слишком много неверных паролей"}


def logged_in(name: str, password: str, address: str, language: str = "en") -> str:
    """Log in from an address; returns the page, empty when it was let in."""
    answer = Client(REMOTE_ADDR=address, headers={"accept-language": language}).post(
        "/login/", {"username": name, "password": password, "next": "/"}
    )
    return "" if answer.status_code == 302 else answer.content.decode()


def test_wrong_passwords_for_a_name_are_bounded(office: OfficeRig) -> None:  # noqa: ARG001  its users
    """Then the right one is refused too, in plain words; the name has its way from elsewhere, others have theirs from there."""
    for _ in range(10):
        assert "Too many" not in logged_in("guard", "wrong", "192.0.2.1")
    for language, words in SAID.items():
        assert words in logged_in("Guard", PASSWORD, "192.0.2.1", language)
        assert words in logged_in("guard", PASSWORD, "192.0.2.1", language)
    assert logged_in("guard", PASSWORD, "192.0.2.2") == ""
    assert logged_in("secretary", PASSWORD, "192.0.2.1") == ""


def test_a_right_password_forgets_the_wrong_ones(office: OfficeRig) -> None:  # noqa: ARG001  its users
    """Who mistypes now and then is never kept out."""
    for _ in range(3):
        for _ in range(9):
            logged_in("guard", "wrong", "192.0.2.3")
        assert logged_in("guard", PASSWORD, "192.0.2.3") == ""


def test_one_address_cannot_try_all_names(office: OfficeRig) -> None:  # noqa: ARG001  its users
    """A hundred failures, whatever the names."""
    for number in range(100):
        logged_in(f"name-{number}", "wrong", "192.0.2.4")
    assert SAID["en"] in logged_in("guard", PASSWORD, "192.0.2.4")


@pytest.mark.parametrize(
    ("trusted", "address"), [(None, "127.0.0.1"), (("HTTP_X_FORWARDED_PROTO", "https"), "192.0.2.5")]
)
def test_a_proxy_is_believed_where_there_is_one(trusted: tuple[str, str] | None, address: str) -> None:
    """Its last word alone: what comes before is the stranger's own."""
    request = HttpRequest()
    with override_settings(SECURE_PROXY_SSL_HEADER=trusted):
        request.META = {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "198.51.100.9, 192.0.2.5"}
        assert address_of(request) == address
        request.META = {"REMOTE_ADDR": "127.0.0.1"}
        assert address_of(request) == "127.0.0.1"
