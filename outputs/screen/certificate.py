"""The host's own certificate for paired tablets: made here, signed by itself, known by its fingerprint, renewed before it ends.

No authority vouches for a canteen's computer; whoever pairs a tablet compares the fingerprint instead.
"""

import ipaddress
import socket
import ssl
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from outputs.screen.pairing import write_private

NAME: Final = "screen-tls.pem"
LIFE: Final = timedelta(days=825)  # as long as tablets accept of any certificate
RENEW_BEFORE: Final = timedelta(days=60)
_BACKDATED: Final = timedelta(days=1)  # a tablet's clock may be behind


def ensure(state_dir: Path, host_name: str, now: datetime) -> Path:
    """Return the file with key and certificate (PEM), made or renewed where that is due. The key stays. Raises OSError."""
    path = state_dir / NAME
    held = _read(path)
    if held is not None and held[1].not_valid_before_utc <= now < held[1].not_valid_after_utc - RENEW_BEFORE:
        return path
    key = held[0] if held is not None else ec.generate_private_key(ec.SECP256R1())
    certificate = _made(key, host_name, now)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_private(path, private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


def fingerprint(path: Path) -> str:
    """Return the certificate's SHA-256 as browsers show it. Raises OSError or ValueError."""
    digest = x509.load_pem_x509_certificate(path.read_bytes()).fingerprint(hashes.SHA256())
    return ":".join(f"{byte:02X}" for byte in digest)


def context(path: Path) -> ssl.SSLContext:
    """Return the server's TLS with this certificate. Raises OSError or ssl.SSLError."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.load_cert_chain(path)
    return made


def own_names() -> Sequence[str]:
    """Return the names by which a tablet may call this machine."""
    name = socket.gethostname().lower().rstrip(".")
    short = name.partition(".")[0]
    return tuple(dict.fromkeys((name, short, f"{short}.local", "localhost")))


def own_address() -> str | None:
    """Return the address that this machine has on its network, None where it has none. Nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(
                ("192.0.2.1", 9)
            )  # of the documentation's network (RFC 5737): the way out is looked up, not gone
            address = str(sock.getsockname()[0])
        except OSError:
            return None
    return None if address.startswith("127.") else address


def _read(path: Path) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate] | None:
    """Return what is held, None for nothing that can be used."""
    try:
        content = path.read_bytes()
        key = serialization.load_pem_private_key(content, None)
        certificate = x509.load_pem_x509_certificate(content)
    except (OSError, ValueError):
        return None
    return (key, certificate) if isinstance(key, ec.EllipticCurvePrivateKey) else None


def _made(key: ec.EllipticCurvePrivateKey, host_name: str, now: datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Viipe {host_name}")])
    address = own_address()
    names: list[x509.GeneralName] = [x509.DNSName(each) for each in own_names()]
    names += [x509.IPAddress(ipaddress.ip_address(address))] if address else []
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATED)
        .not_valid_after(now - _BACKDATED + LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
