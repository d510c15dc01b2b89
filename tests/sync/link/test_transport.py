"""HTTP to one registry: every bound, every kind of bad answer."""

import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from sync.link.faults import CertificateFault, LinkFault, Odd, Refusal, TooMuch, TooSlow, Unreachable
from sync.link.transport import Transport
from tests.rig.certificates import Authority
from tests.rig.faulty_proxy import Fault, FaultyProxy
from tests.rig.small_registry import SmallRegistry

HEAD = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def server(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """Serve each connection by a function, once it has read one request's head."""
    listening = socket.create_server(("127.0.0.1", 0))

    def work() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: socket.socket) -> None:
        with connection, suppress(OSError):
            connection.recv(65536)
            answer(connection)

    threading.Thread(target=work, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        with suppress(OSError):
            listening.shutdown(socket.SHUT_RDWR)
        listening.close()


def fault_of(url: str, *, total_s: float = 20.0, most_bytes: int = 1 << 16) -> LinkFault:
    """Ask, and return the fault that comes of it."""
    transport = Transport(url)
    with pytest.raises(LinkFault) as caught:
        transport.ask("GET", "/v1/root?after=0", total_s=total_s, most_bytes=most_bytes)
    transport.close()
    return caught.value


def test_a_question_is_answered_on_a_connection_that_is_kept() -> None:
    """The second question needs no new connection: a claim has no time for one."""
    with SmallRegistry() as registry, FaultyProxy(("127.0.0.1", registry.port)) as proxy:
        transport = Transport(proxy.url)
        for _ in range(3):
            assert transport.ask("GET", "/v1/root?after=0").status == 200
        assert len(proxy.made) == 1
        proxy.cut_all()
        assert transport.ask("GET", "/v1/root?after=0").status == 200  # one that was closed meanwhile costs nothing
        transport.close()


def test_nobody_there_is_unreachable() -> None:
    """A registry that is down is a fault of the way, said with its address."""
    with socket.create_server(("127.0.0.1", 0)) as spare:
        port = spare.getsockname()[1]
    fault = fault_of(f"http://127.0.0.1:{port}")
    assert isinstance(fault, Unreachable)
    assert str(fault) == f"http://127.0.0.1:{port}: nobody answers there"
    assert "no such name: registry.invalid" in str(fault_of("http://registry.invalid:1"))


def test_a_registry_that_accepts_and_stays_silent_times_out() -> None:
    """Nothing comes: the wait ends by itself."""
    with (
        SmallRegistry() as registry,
        FaultyProxy(("127.0.0.1", registry.port), faults=frozenset({Fault.SILENCE})) as proxy,
    ):
        assert isinstance(fault_of(proxy.url, total_s=0.3), TooSlow)


@pytest.mark.parametrize(
    "begun", [b"", HEAD + b"Content-Length: 100\r\n\r\n", HEAD + b"Transfer-Encoding: chunked\r\n\r\n"]
)
def test_one_who_drips_is_cut_off(begun: bytes) -> None:
    """A byte now and then, in the head or in the body, keeps no socket's timeout from starting anew: the whole answer has a bound."""

    def drip(connection: socket.socket) -> None:
        connection.sendall(begun)
        for _ in range(1000):
            connection.sendall(b"X" if b"chunked" not in begun else b"1\r\nX\r\n")
            time.sleep(0.05)

    with server(drip) as url:
        begun_s = time.monotonic()
        assert isinstance(fault_of(url, total_s=0.5), TooSlow)
        assert time.monotonic() - begun_s < 10


@pytest.mark.parametrize("head", [b"Transfer-Encoding: chunked\r\n\r\n", b"Connection: close\r\n\r\n"])
def test_an_endless_answer_is_cut_off(head: bytes) -> None:
    """More than an answer may hold is not read."""

    def pour(connection: socket.socket) -> None:
        connection.sendall(HEAD + head)
        piece = b"10000\r\n" + b"X" * 65536 + b"\r\n" if b"chunked" in head else b"X" * 65536
        while True:
            connection.sendall(piece)

    with server(pour) as url:
        assert isinstance(fault_of(url), TooMuch)


def test_a_redirect_is_not_followed() -> None:
    """A host speaks with its registry alone."""
    asked = []

    def redirect(connection: socket.socket) -> None:
        asked.append(1)
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n")

    with server(redirect) as url:
        assert isinstance(fault_of(url), Odd)
    assert asked == [1]


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        HEAD + b"X: " + b"x" * 100_000,
        HEAD + b"X: 1\r\n" * 200 + b"\r\n",
        HEAD + b"Content-Length: many\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_another_program_is_no_registry(answer: bytes) -> None:
    """Whatever answers there, it is told in words, and nothing is taken."""
    with server(lambda connection: connection.sendall(answer)) as url:
        assert isinstance(fault_of(url), Odd | Unreachable)


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.CUT_REQUEST, Fault.CUT_ANSWER, Fault.TRUNCATE])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_cut_connection_is_a_fault_and_never_half_an_answer(fault: Fault, seed: int) -> None:
    """Wherever the cut falls, it is said."""
    with SmallRegistry() as registry:
        registry.lies["root"] = b"x" * 50_000
        with FaultyProxy(("127.0.0.1", registry.port), seed=seed, faults=frozenset({fault})) as proxy:
            told = fault_of(proxy.url) if fault is not Fault.CUT_REQUEST else None
            assert told is None or isinstance(told, Unreachable | Odd)


def test_a_refusal_says_what_the_registry_said() -> None:
    """The registry's own sentence reaches the person who looks, its code the program."""
    with SmallRegistry() as registry:
        transport = Transport(registry.url)
        with pytest.raises(Refusal, match="expected a header") as caught:
            transport.ask("GET", "/v1/timestamp")
        transport.close()
    assert (caught.value.status, caught.value.code) == (401, "bad_signature")
    assert caught.value.date is not None


def test_a_connection_that_another_thread_closed_stays_closed() -> None:
    """It is not opened anew behind the back of whoever closed it: nobody would close that one."""
    with SmallRegistry() as registry:
        transport = Transport(f"http://127.0.0.1:{registry.port}")
        connection = transport._connected(1)
        transport.close()
        with pytest.raises(http.client.NotConnected):
            transport._exchange(connection, "GET", "/", b"", 1)


def test_a_wait_can_be_ended_from_another_thread() -> None:
    """SIGTERM needs no patience with a silent registry."""
    with (
        SmallRegistry() as registry,
        FaultyProxy(("127.0.0.1", registry.port), faults=frozenset({Fault.SILENCE})) as proxy,
    ):
        transport = Transport(proxy.url)
        threading.Timer(0.2, transport.cut).start()
        begun_s = time.monotonic()
        with pytest.raises(Unreachable, match="stopped"):
            transport.ask("GET", "/v1/root?after=0", total_s=60)
        assert time.monotonic() - begun_s < 8
        with pytest.raises(Unreachable, match="stopped"):
            transport.ask("GET", "/v1/root?after=0")


def test_a_pinned_authority_is_trusted_and_no_other(tmp_path: Path) -> None:
    """With a CA file its certificates hold; another's, an expired one's and another address's are refused, and said."""
    ours, other = Authority(tmp_path), Authority(tmp_path, "other authority")
    with SmallRegistry(ours.server()) as registry:
        transport = Transport(registry.url, ca=ours.path)
        assert transport.ask("GET", "/v1/root?after=0").status == 200
        transport.close()
        for ca in (other.path, None):
            with pytest.raises(CertificateFault, match="its certificate is not trusted"):
                Transport(registry.url, ca=ca).ask("GET", "/v1/root?after=0")
    for context, said in ((ours.server(expired=True), "expired"), (ours.server("127.0.0.9"), "IP address mismatch")):
        with SmallRegistry(context) as registry, pytest.raises(CertificateFault, match=said):
            Transport(registry.url, ca=ours.path).ask("GET", "/v1/root?after=0")


def test_a_file_without_certificates_is_said(tmp_path: Path) -> None:
    """A wrong [registry].ca is told by its name."""
    (tmp_path / "ca.pem").write_text("nothing")
    for path in (tmp_path / "ca.pem", tmp_path / "missing.pem"):
        with pytest.raises(CertificateFault, match=path.name):
            Transport("https://127.0.0.1:1", ca=path)


def test_plain_http_where_tls_is_expected_is_told(tmp_path: Path) -> None:
    """The two mixed up: a fault in words, either way."""
    authority = Authority(tmp_path)
    with SmallRegistry() as registry, pytest.raises(Unreachable, match="TLS"):
        Transport(registry.url.replace("http:", "https:"), ca=authority.path).ask("GET", "/v1/root?after=0")
