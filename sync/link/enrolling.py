"""How a host becomes one of a registry's: by a one-time code it proves itself once, and learns whom to believe (DESIGN.md §4).

What was agreed is written down in one file first (`enrolling.json`), then laid into its places, the enrolment last. A crash before that
file leaves a host that is not enrolled, or as it was; after it the next start of the link finishes (`finish`).
"""

import base64
import json
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from sync import current, link_report
from sync.cache_file import describe
from sync.durable import replace_file, sync_folder
from sync.faults import CacheFault, KeyFault
from sync.link import identity
from sync.link.faults import LinkFault, Refusal
from sync.link.identity import Enrolment
from sync.link.transport import Transport
from sync.wire.card_key import SiteKey
from sync.wire.enrolment import MAX_ANSWER_BYTES, Code, EnrolAnswer, EnrolRequest
from sync.wire.faults import WireFault
from sync.wire.keys import BoxKey, SigningKey, key_id

_PLAN: Final = "enrolling.json"
_SITE_KEY: Final = "site.key"
ANSWER_S: Final = 30.0


class EnrolFault(LinkFault):
    """The host was not enrolled; nothing was changed."""


def enrol(  # noqa: PLR0913  what a person gives, each by its name
    state_dir: Path, url: str, code_text: str, host: str, *, ca: Path | None, replace: bool = False
) -> Enrolment:
    """Enrol this host. Raises LinkFault or OSError, with nothing changed; see `EnrolFault` for what people get wrong.

    `replace` lets the registry's site key take the place of one under which cards were imported by hand: those are of no use then.
    """
    code = _parsed(code_text)
    if not replace:
        _refuse_to_lose_cards(state_dir)
    key, box = SigningKey.generate(), BoxKey.generate()
    answer, site_key = _answered(url, code, host, (key, box), ca)
    plan = {
        "host": answer.host,
        "site": answer.site,
        "url": url,
        "fingerprint": code.fingerprint,
        "site_key": SiteKey(site_key).fingerprint,
        "key_id": key_id(key.public),
        "secret_site_key": base64.b64encode(site_key).decode(),
        "secret_keys": base64.b64encode(key.to_bytes() + box.to_bytes()).decode(),
        "roots": [base64.b64encode(root).decode() for root in answer.roots],
    }
    replace_file(state_dir / _PLAN, json.dumps(plan).encode(), mode=0o600)
    finish(state_dir)
    return identity.load(state_dir).enrolment


def finish(state_dir: Path) -> bool:
    """Lay an agreed enrolment into its places, if one waits; done twice it comes to the same. Raises OSError, EnrolFault."""
    path = state_dir / _PLAN
    try:
        plan: dict[str, Any] = json.loads(path.read_bytes())
        enrolment = Enrolment(**{name: str(plan[name]) for name in Enrolment.__slots__})
        roots = tuple(base64.b64decode(root) for root in plan["roots"])
        keys = base64.b64decode(plan["secret_keys"])
        site_key = base64.b64decode(plan["secret_site_key"])
        ratchet = identity.begin_ratchet(state_dir / identity.TRUST_NAME, enrolment.site, roots, enrolment.fingerprint)
    except FileNotFoundError:
        return False
    except (ValueError, KeyError, TypeError, WireFault) as error:
        raise EnrolFault(f"{path}: damaged ({type(error).__name__}); delete it and enrol this host anew") from error
    (state_dir / identity.ENROLMENT_NAME).unlink(missing_ok=True)  # of before: its key is about to go
    (state_dir / link_report.NAME).unlink(missing_ok=True)  # it tells when another registry was heard
    sync_folder(state_dir)
    replace_file(state_dir / _SITE_KEY, site_key, mode=0o600)
    ratchet.persist()
    replace_file(state_dir / identity.KEY_NAME, keys, mode=0o600)
    identity.write_enrolment(state_dir / identity.ENROLMENT_NAME, enrolment)
    path.unlink()
    sync_folder(state_dir)
    return True


def _parsed(text: str) -> Code:
    try:
        return Code.parse(text)
    except WireFault as fault:
        raise EnrolFault(f"{fault}; type it as the registry showed it (viipe-registry enrol-code)") from fault


def _answered(
    url: str, code: Code, host: str, keys: tuple[SigningKey, BoxKey], ca: Path | None
) -> tuple[EnrolAnswer, bytes]:
    """Ask, and believe the answer only as far as the code vouches for it."""
    key, box = keys
    request = EnrolRequest.make(code, host, key, box)
    transport = Transport(url, ca=ca)
    try:
        reply = transport.ask("POST", "/v1/enrol", request.to_json(), total_s=ANSWER_S, most_bytes=MAX_ANSWER_BYTES)
    except Refusal as refusal:
        raise EnrolFault(f'{refusal}; it was asked for a host called "{host}", by [host].name') from refusal
    finally:
        transport.close()
    try:
        answer = EnrolAnswer.parse(reply.body)
        answer.verified(code, request)
        site_key = answer.open_site_key(box)
    except WireFault as fault:
        raise EnrolFault(
            f"{url}: who answered is not the registry that made this code, or changed on the way: {fault}"
        ) from fault
    if answer.host != host:
        raise EnrolFault(f'{url}: the code is for a host called "{answer.host}", but [host].name is "{host}"')
    return answer, site_key


def _refuse_to_lose_cards(state_dir: Path) -> None:
    """Cards that were imported by hand are held under a key that the registry's would replace."""
    serving = None
    with suppress(OSError):
        serving = current.look(state_dir).serving
    if serving is None:
        return
    try:
        info = describe(state_dir / serving)
    except (CacheFault, KeyFault):
        return  # nobody can use them as they are
    if info.generation is None and info.cards:
        raise EnrolFault(
            f"{state_dir}: {info.cards} cards that were imported by hand are held under this host's own site key, and would be of no"
            " use under the registry's; enrol with --replace to go on with the registry's cards alone"
        )
