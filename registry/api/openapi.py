"""The hosts' API told in OpenAPI 3.1, served with it: from this and docs/wire-format.md a stranger can write another registry or host."""

from collections.abc import Mapping
from typing import Any, Final

from registry.api.refusals import CODES
from sync.wire import day_counts, desk, enrolment, listens, quota, upload

Table = dict[str, Any]


def _text(about: str, pattern: str | None = None, **more: object) -> Table:
    return {"type": "string", "description": about, **({"pattern": pattern} if pattern else {}), **more}


def _hex(about: str, length: int) -> Table:
    return _text(about, f"^[0-9a-f]{{{2 * length}}}$")


def _base64(about: str) -> Table:
    return _text(about, "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$", minLength=1)


def _whole(about: str, least: int = 0, most: int = (1 << 63) - 1) -> Table:
    return {"type": "integer", "description": about, "minimum": least, "maximum": most}


def _object(about: str, *, may_have: Mapping[str, object] | None = None, **members: object) -> Table:
    """Describe an object with all of `members`; those of `may_have` may be left out."""
    return {
        "type": "object",
        "description": about,
        "properties": {**members, **(may_have or {})},
        "required": sorted(members),
        "additionalProperties": False,
    }


def _schema(name: str) -> Table:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(about: str, name: str) -> Table:
    return {"description": about, "content": {"application/json": {"schema": _schema(name)}}}


def _bytes(about: str, media_type: str = "application/octet-stream") -> Table:
    return {"description": about, "content": {media_type: {"schema": {"type": "string", "format": "binary"}}}}


def _body(name: str, max_bytes: int) -> Table:
    return {
        "required": True,
        "description": f"At most {max_bytes} bytes.",
        "content": {"application/json": {"schema": _schema(name)}},
    }


def _query(name: str, about: str, schema: Mapping[str, object], *, required: bool = True) -> Table:
    return {"name": name, "in": "query", "required": required, "description": about, "schema": schema}


def _path(name: str, about: str, schema: Mapping[str, object]) -> Table:
    return {"name": name, "in": "path", "required": True, "description": about, "schema": schema}


_LANGUAGE: Final[Table] = {
    "name": "Accept-Language",
    "in": "header",
    "required": False,
    "description": "The language of a refusal's message: et, en or ru.",
    "schema": {"type": "string"},
}
_MEANINGS: Final = {
    400: "It cannot be read.",
    401: "It is not signed by an enrolled host, or was taken before.",
    403: "The host may not do that.",
    404: "There is no such thing.",
    405: "The address is not used that way.",
    409: "It was done already.",
    410: "It is over.",
    413: "It is too large.",
    429: "It was tried too often.",
    500: "The registry has a fault.",
}


def _refusals(*statuses: int) -> Table:
    return {
        str(status): {
            "description": f"{_MEANINGS[status]} Codes: "
            + ", ".join(code for code, phrases in CODES.items() if phrases.status == status)
            + ".",
            "content": {"application/json": {"schema": _schema("Refusal")}},
        }
        for status in statuses
    }


def _call(  # noqa: PLR0913  the parts of an operation
    name: str,
    about: str,
    answers: Mapping[str, Table],
    *,
    refusals: tuple[int, ...] = (),
    query: tuple[Table, ...] = (),
    body: Table | None = None,
    is_signed: bool = True,
) -> Table:
    signed = (401, 403) if is_signed else ()
    told: Table = {
        "operationId": name,
        "summary": about,
        "parameters": [_LANGUAGE, *query],
        "responses": {**answers, **_refusals(*sorted({400, 413, 500, *signed, *refusals}))},
        "security": [{"signature": [], "input": [], "digest": []}] if is_signed else [],
    }
    return told if body is None else {**told, "requestBody": body}


_SCHEMAS: Final[Table] = {
    "Refusal": _object(
        "A request that was refused, and changed nothing.",
        error={"type": "string", "enum": list(CODES), "description": "The code, for programs."},
        where=_text("The part of the request that is at fault."),
        found=_text("What was found there."),
        expected=_text("What is expected there."),
        message=_text("A sentence for people, in their language."),
    ),
    "EnrolRequest": _object(
        "A host's keys, for its one-time code.",
        secret=_hex("The 16 secret bytes of the code.", enrolment.SECRET_BYTES),
        name=_text("The host's name.", minLength=1, maxLength=100),
        public_key=_hex("Ed25519.", 32),
        box_key=_hex("X25519.", 32),
        proof=_hex("Signature by public_key; see docs/wire-format.md.", 64),
    ),
    "EnrolAnswer": _object(
        "What an enrolled host needs.",
        host=_text("Its name."),
        site=_text("The site's code: the audience of its documents."),
        roots={"type": "array", "items": _base64("A root document."), "minItems": 1, "maxItems": enrolment.MAX_ROOTS},
        site_key=_base64("The site's key, sealed to box_key."),
        time=_text("The registry's time."),
        signature=_hex("By a signing key of the newest root.", 64),
    ),
    "Roots": {
        "type": "array",
        "items": _base64("A root document."),
        "maxItems": enrolment.MAX_ROOTS,
        "description": "Root documents, in the order of their versions.",
    },
    "Batch": _object(
        "Events in order, hung on the chain.",
        epoch=_whole("The epoch of all of them.", 1),
        first_seq=_whole("The number of the first.", 1, (1 << 63) - 1 - upload.MAX_EVENTS),
        link_before=_hex("The link of the event before the first.", upload.LINK_BYTES),
        events={
            "type": "array",
            "items": _base64("An event's canonical bytes."),
            "minItems": 1,
            "maxItems": upload.MAX_EVENTS,
        },
        is_after_gap={"type": "boolean", "description": "The events before them are lost at the host for ever."},
    ),
    "Watermark": _object(
        "The last event that was taken in order.",
        epoch=_whole("Its epoch; 0 before any event."),
        seq=_whole("Its number there."),
        link=_hex("Its link.", upload.LINK_BYTES),
        version={**_whole("The newest that was published, null before the first."), "type": ["integer", "null"]},
        generation={**_whole("The generation of that version."), "type": ["integer", "null"]},
    ),
    "BatchAnswer": _object(
        "Whether the batch was taken, or events before it are missing.",
        answer={"type": "string", "enum": ["taken", "gap"]},
        watermark=_schema("Watermark"),
    ),
    "ClaimRequest": _object(
        "May this serving be one of the day's?",
        may_have={
            "price_cents": _whole("What the person's account is to pay within the limit.", 0, quota.MOST_CENTS),
            "second_price_cents": _whole("What it is to pay beyond the limit.", 0, quota.MOST_CENTS),
        },
        tap_id=_hex("The tap; asked again, it is answered the same.", quota.TAP_ID_BYTES),
        service=_text("The service's code.", minLength=1, maxLength=50),
        direction={"enum": ["in", "out", None], "description": "Which way a door's reader leads."},
        day=_text("The school's local day.", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", format="date"),
        card=_text("The card's id.", minLength=1, maxLength=64),
        person={"type": ["string", "null"], "minLength": 1, "maxLength": 64, "description": "The person's id."},
        kind=_text("The card's kind.", minLength=1, maxLength=32),
    ),
    "ClaimAnswer": _object(
        "The promise, if it is one. Of the account it tells only where that is to pay.",
        may_have={
            "unsure": {
                "type": "boolean",
                "description": "With a no: it rests on a promise to a host that has fallen silent; nobody knows whether that one served.",
            },
            "credit": {"type": "string", "enum": [str(funds) for funds in quota.Funds]},
            "balance_cents": _whole("What is left on the account.", -quota.MOST_BALANCE, quota.MOST_BALANCE),
        },
        granted={"type": "boolean", "description": "Whether the day's limit allows it."},
        served=_whole("The day's other servings."),
    ),
    "DayCounts": _object(
        "How many persons were served on a day, at all tills together, each counted once.",
        service=_text("The service's code.", minLength=1, maxLength=50),
        day=_text("The school's local day.", "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", format="date"),
        served={
            "type": "object",
            "description": "By class.",
            "additionalProperties": _whole("Persons."),
            "maxProperties": day_counts.MAX_CLASSES,
        },
        others=_whole("Persons without a class."),
    ),
    "DeskTap": _object(
        "The card that was tapped at a desk.",
        request=_whole("The request that it answers."),
        sealed=_base64("The UID, sealed to the root's box_key and to this request."),
    ),
    "Listens": _object(
        "Where a host is reached by the others of its school.",
        address={
            "type": ["string", "null"],
            "description": "Host and port; an IPv6 address stands in brackets. Null: it listens no more.",
            "pattern": listens.ADDRESS,
            "maxLength": listens.ADDRESS_CHARS,
        },
        services={
            "type": "array",
            "description": "The codes of what its readers serve.",
            "items": _text("A code.", listens.CODE),
            "maxItems": listens.MOST_SERVICES,
        },
    ),
}


def _header_key(name: str, about: str) -> Table:
    return {"type": "apiKey", "in": "header", "name": name, "description": about}


OPENAPI: Final[Table] = {
    "openapi": "3.1.0",
    "info": {
        "title": "Viipe: the registry's API for reader hosts",
        "version": "1",
        "description": "Documents in bytes are as docs/wire-format.md tells. Times are UTC, ISO 8601, milliseconds, Z.",
        "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"},
    },
    "servers": [{"url": "/"}],
    "paths": {
        "/v1/enrol": {
            "post": _call(
                "enrol",
                "Take a host's keys in exchange for its one-time code.",
                {"200": _json("Enrolled.", "EnrolAnswer")},
                refusals=(401, 429),
                body=_body("EnrolRequest", enrolment.MAX_REQUEST_BYTES),
                is_signed=False,
            )
        },
        "/v1/root": {
            "get": _call(
                "roots",
                "Give the root documents after a version.",
                {"200": _json("Those there are, in order; none is an empty list.", "Roots")},
                query=(_query("after", "The version that is held; 0 is none.", _whole("A version."), required=False),),
                is_signed=False,
            )
        },
        "/v1/timestamp": {
            "get": _call(
                "timestamp",
                "Vouch for the newest version and the time.",
                {"200": _bytes("A timestamp document.")},
                query=(
                    _query(
                        "nonce",
                        "8 to 32 random bytes, which the document repeats.",
                        _text("Hex.", "^(?:[0-9a-f]{2}){8,32}$"),
                        required=False,
                    ),
                ),
            )
        },
        "/v1/snapshot": {
            "get": _call("snapshot", "Give the site's whole state.", {"200": _bytes("A snapshot document.")})
        },
        "/v1/changes": {
            "get": _call(
                "changes",
                "Give what changed since the version that is held.",
                {"200": _bytes("A delta document."), "204": {"description": "Nothing did."}},
                query=(
                    _query("after", "The version that is held.", _whole("A version.")),
                    _query("generation", "Its generation.", _whole("A generation.")),
                ),
                refusals=(410,),
            )
        },
        "/v1/stream": {
            "get": _call(
                "stream",
                "Tell what is published as it is, one JSON object a line, until one side goes.",
                {"200": _bytes("Lines as docs/wire-format.md tells.", "application/x-ndjson")},
            )
        },
        "/v1/events": {
            "post": _call(
                "events",
                "Take a batch of the host's events, each exactly once.",
                {"200": _json("Taken, or where to go back to.", "BatchAnswer")},
                body=_body("Batch", upload.MAX_BYTES),
            )
        },
        "/v1/events/watermark": {
            "get": _call(
                "watermark", "Say how far the host's events were taken.", {"200": _json("So far.", "Watermark")}
            )
        },
        "/v1/claims": {
            "post": _call(
                "claims",
                "Answer whether a serving may be given.",
                {"200": _json("Yes or no.", "ClaimAnswer")},
                body=_body("ClaimRequest", quota.MAX_BYTES),
            )
        },
        "/v1/desk": {
            "post": _call(
                "desk",
                "Take the card that was tapped at a desk.",
                {"204": {"description": "Taken."}},
                refusals=(404, 409, 410),
                body=_body("DeskTap", desk.MAX_BYTES),
            )
        },
        "/v1/listens": {
            "post": _call(
                "listens",
                "Take where the host is reached by the others of its school; it is published in the document hosts.",
                {"204": {"description": "Taken."}},
                body=_body("Listens", listens.MAX_BYTES),
            )
        },
        "/v1/people": {
            "get": _call(
                "people",
                "Give whom the host may show by name; a host that shows no names is refused.",
                {
                    "200": _bytes("A people document, sealed to the host's box_key."),
                    "204": {"description": "The version that is held is the newest."},
                },
                query=(
                    _query("after", "The version that is held; 0 is none.", _whole("A version."), required=False),
                    _query("generation", "Its generation; 0 is any.", _whole("A generation."), required=False),
                ),
            )
        },
        "/v1/photos/{sha256}": {
            "get": _call(
                "photo",
                "Give a photo that the people document names.",
                {"200": _bytes("A JPEG, sealed to the host's box_key.")},
                query=(_path("sha256", "Of the photo.", _hex("SHA-256.", 32)),),
                refusals=(404,),
            )
        },
        "/v1/day": {
            "get": _call(
                "day",
                "Say how many of each class were served on a day.",
                {"200": _json("So far.", "DayCounts")},
                query=(
                    _query("service", "The service's code.", _text("A code.", minLength=1, maxLength=50)),
                    _query("day", "The school's local day.", _text("A day.", format="date")),
                ),
            )
        },
        "/v1/openapi.json": {
            "get": _call(
                "description",
                "Give this document.",
                {"200": {"description": "OpenAPI.", "content": {"application/json": {"schema": {"type": "object"}}}}},
                is_signed=False,
            )
        },
    },
    "components": {
        "schemas": _SCHEMAS,
        "securitySchemes": {
            "signature": _header_key("Signature", "RFC 9421, Ed25519, under the label viipe."),
            "input": _header_key(
                "Signature-Input",
                'Covers "@method" "@path" "@query" "content-digest"; parameters created, nonce, keyid (the host\'s name).',
            ),
            "digest": _header_key("Content-Digest", "RFC 9530, sha-256, of an empty body too."),
        },
    },
}
