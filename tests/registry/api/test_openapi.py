"""The description of the API holds: schemathesis asks whatever it allows, signed by a hook, and checks what is answered."""

import asyncio
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, Final

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.core.parameters import ParameterLocation
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, unsupported_method

from registry.api.openapi import OPENAPI
from registry.api.refusals import CODES
from sync.wire.request import sign_request
from tests.rig.protocol_host import ProtocolHost
from tests.rig.registry_process import RegistryProcess, a_school

_OWN: Final = {"signature", "signature-input", "content-digest", "authorization"}
# Without the stream, which does not end (tests/registry/test_stream.py), and the phase "coverage", which asks some hundred times a call.
schema = schemathesis.openapi.from_dict(OPENAPI).exclude(path="/v1/stream")
schema.config.phases.update(phases=["examples", "fuzzing"])


@pytest.fixture(scope="module")
def host() -> Iterator[ProtocolHost]:
    """An enrolled desk of a small school."""
    with RegistryProcess() as registry:
        registry.do(a_school())
        enrolled = ProtocolHost(registry.port, "desk")
        assert (
            asyncio.run(enrolled.enrol(registry.command("enrol-code", "desk", "--desk").splitlines()[0])).status == 200
        )
        yield enrolled


@schema.parametrize()
@settings(max_examples=15, suppress_health_check=list(HealthCheck), derandomize=True)
def test_the_api_is_as_it_is_told(case: schemathesis.Case[Any], host: ProtocolHost) -> None:
    """No answer but those that are told for the call, each of the form that is told; and never a fault of the registry's."""
    case.headers = {name: value for name, value in (case.headers or {}).items() if name.lower() not in _OWN}  # type: ignore[assignment]
    response = case.call(base_url=f"http://127.0.0.1:{host.port}", auth=_Signed(host))
    excluded: list[Any] = [
        unsupported_method,
        ignored_auth,
    ]  # the hook signs always; test_app.py asks without, and by strangers
    if response.status_code == 413:
        excluded.append(negative_data_rejection)  # too large is told before anything else is looked at
    if case.meta is None or not case.meta.is_negative_at(ParameterLocation.BODY):
        excluded.append(negative_data_rejection)  # headers and parameters that mean nothing here are passed over
    case.validate_response(response, excluded_checks=excluded)
    assert response.status_code != 500


class _Signed:
    """Signs a request as it goes over the wire."""

    def __init__(self, host: ProtocolHost) -> None:
        self._host = host

    def __call__(self, request: Any) -> Any:  # noqa: ANN401  of requests, which has no types
        body = request.body or b""
        body = body.encode() if isinstance(body, str) else body
        nonce = secrets.token_hex(16)
        signed = sign_request(
            self._host.key, self._host.name, request.method, request.path_url, body, datetime.now(UTC), nonce
        )
        request.headers.update(signed)
        return request


def test_the_document_is_whole() -> None:
    """Each reference leads somewhere, each code of a refusal is told with some call, and each call says what it refuses."""
    text = str(OPENAPI)
    for name in re.findall(r"#/components/schemas/(\w+)", text):
        assert name in OPENAPI["components"]["schemas"]
    for code in CODES:
        assert code in text
    for methods in OPENAPI["paths"].values():
        for call in methods.values():
            assert {"400", "413", "500"} <= call["responses"].keys()
            assert ("401" in call["responses"]) or not call["security"]
