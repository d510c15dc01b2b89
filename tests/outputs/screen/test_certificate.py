"""The host's own certificate: made once, kept, renewed before it ends, known by its fingerprint."""

import socket
import ssl
import stat
import threading
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509

from outputs.screen import certificate

NOW = datetime.now(UTC)


def held(path: Path) -> x509.Certificate:
    """Read the certificate."""
    return x509.load_pem_x509_certificate(path.read_bytes())


def test_it_is_made_once_and_its_key_is_its_owners(tmp_path: Path) -> None:
    """The next start finds it; nobody else reads it."""
    path = certificate.ensure(tmp_path, "canteen", NOW)
    made = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert certificate.ensure(tmp_path, "canteen", NOW + timedelta(days=300)).read_bytes() == made
    assert held(path).subject.rfc4514_string() == "CN=Viipe canteen"


@pytest.mark.parametrize("later", [timedelta(days=825 - 60), timedelta(days=2000), timedelta(days=-3)])
def test_it_is_renewed_before_it_ends_with_the_same_key(tmp_path: Path, later: timedelta) -> None:
    """Also where the clock has been wrong: a certificate of the future is none yet."""
    path = certificate.ensure(tmp_path, "canteen", NOW)
    before = held(path)
    after = held(certificate.ensure(tmp_path, "canteen", NOW + later))
    assert after.serial_number != before.serial_number
    assert after.public_key() == before.public_key()
    assert after.not_valid_before_utc <= NOW + later < after.not_valid_after_utc - certificate.RENEW_BEFORE


@pytest.mark.parametrize("content", [b"", b"-----BEGIN CERTIFICATE-----\n", b"\xff" * 100])
def test_a_spoilt_one_is_made_anew(tmp_path: Path, content: bytes) -> None:
    """Tablets are warned by their browsers, and see another fingerprint."""
    (tmp_path / certificate.NAME).write_bytes(content)
    assert held(certificate.ensure(tmp_path, "canteen", NOW))


def test_a_browser_sees_the_fingerprint_that_is_told(tmp_path: Path) -> None:
    """TLS 1.2 or later is spoken with it, and what the other side gets is what the page shows."""
    path = certificate.ensure(tmp_path, "canteen", NOW)
    ours, theirs = socket.socketpair()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    seen: list[bytes | None] = []

    def browse() -> None:
        with client.wrap_socket(theirs) as sock:
            seen.append(sock.getpeercert(binary_form=True))

    browsing = threading.Thread(target=browse)
    browsing.start()
    with certificate.context(path).wrap_socket(ours, server_side=True) as sock:
        assert sock.version() in {"TLSv1.2", "TLSv1.3"}
    browsing.join()
    assert seen[0] is not None
    digest = sha256(seen[0]).hexdigest().upper()
    assert certificate.fingerprint(path).replace(":", "") == digest


def test_its_names_are_those_by_which_a_tablet_may_call() -> None:
    """The machine's name, with and without `.local`."""
    names = certificate.own_names()
    short = socket.gethostname().lower().partition(".")[0]
    assert {short, f"{short}.local"} <= set(names)


def test_the_address_of_this_machine_is_looked_up_and_nothing_sent() -> None:
    """Another machine's tablet is told a number, never the machine's own loopback."""
    address = certificate.own_address()
    assert address is None or not address.startswith("127.")
