"""Whether the pages are served where the host's file says: asked as a browser would, so that doctor and status tell what is, not what was.

The deciding process has no network and knows nothing of it; these commands look for themselves.
"""

import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from config.host import HostConfig
from config.screen_table import Address

WITHIN_S: Final = 2.0
CERTIFICATE: Final = "screen-tls.pem"
_PATH: Final = "/static/icon.svg"
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  only compared
_START: Final = "systemctl enable --now viipe-screen; its log says why it ends: journalctl -u viipe-screen"
_LATER: Final = "free the port or change screen.tablets; the pages try again by themselves: journalctl -u viipe-screen"


class Seen(NamedTuple):
    """What was found of one listener; `mend` is empty where it is in order."""

    name: str
    found: str
    mend: str = ""


def look(config: HostConfig) -> Iterator[Seen]:
    """Look at the pages' own listener, then at the tablets'; nothing for a host without."""
    if config.screen is None:
        return
    fault = _own_fault(config.screen.listen)
    yield Seen("pages", f"{config.screen.listen}: {fault or 'served'}", _START if fault else "")
    tablets = config.screen.tablets
    if tablets is not None:
        fault = _tablets_fault(tablets, config.host.state_dir / CERTIFICATE)
        yield Seen("tablets", f"{tablets}: {fault or 'can come in'}", _LATER if fault else "")


def _own_fault(address: Address) -> str | None:
    connection = http.client.HTTPConnection(address.host, address.port, timeout=WITHIN_S)
    try:
        connection.request("GET", _PATH)
        response = connection.getresponse()
        is_ours = response.status == http.HTTPStatus.OK and response.headers["content-type"] == "image/svg+xml"
    except (OSError, http.client.HTTPException) as error:
        return f"not served: {error}"
    finally:
        connection.close()
    return None if is_ours else "another program answers there"


def _tablets_fault(address: Address, certificate: Path) -> str | None:
    """Compare what is shown to a tablet with the host's own certificate."""
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE  # compared below
    host = _ANY.get(address.host, address.host)
    try:
        with (
            socket.create_connection((host, address.port), WITHIN_S) as connection,
            trusting.wrap_socket(connection) as wrapped,
        ):
            shown = wrapped.getpeercert(binary_form=True) or b""
        own = ssl.PEM_cert_to_DER_cert(_certificate_of(certificate.read_text()))
    except (OSError, ValueError) as error:
        return f"tablets cannot come in: {error}"
    return None if shown == own else "another program answers there"


def _certificate_of(pem: str) -> str:
    """Return the certificate alone: the key stands before it."""
    return pem[max(0, pem.find(ssl.PEM_HEADER)) :]
