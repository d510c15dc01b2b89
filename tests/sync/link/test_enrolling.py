"""How a host becomes one of a registry's, and what people get wrong on the way."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sync import site_key
from sync.link import enrolling, identity
from sync.link.enrolling import EnrolFault, enrol, finish
from sync.link.faults import CertificateFault, LinkFault, NotEnrolled, Odd, Unreachable
from sync.wire.enrolment import Code
from tests.rig.certificates import Authority
from tests.rig.parts import ONE_CARD, feed
from tests.rig.small_registry import HOST, SmallRegistry


@pytest.fixture
def registry() -> Iterator[SmallRegistry]:
    """Give a registry with a code to be used."""
    with SmallRegistry() as small:
        yield small


def refusal(state_dir: Path, registry: SmallRegistry, *, url: str = "", code: str = "", host: str = HOST) -> LinkFault:
    """Try to enrol, prove that nothing was written, and return what was said."""
    before = sorted((path.name, path.read_bytes()) for path in state_dir.iterdir())
    with pytest.raises(LinkFault) as caught:
        enrol(state_dir, url or registry.url, code or registry.code.text, host, ca=None)
    assert sorted((path.name, path.read_bytes()) for path in state_dir.iterdir()) == before
    return caught.value


def test_enrolling_brings_keys_trust_and_the_sites_key(tmp_path: Path, registry: SmallRegistry) -> None:
    """Afterwards the host has all that it needs, and nothing of the plan is left."""
    enrolment = enrol(tmp_path, registry.url, registry.code.text.lower(), HOST, ca=None)
    assert identity.load(tmp_path).enrolment == enrolment
    assert site_key.load(tmp_path, {}).fingerprint == registry.site_key.fingerprint == enrolment.site_key
    ratchet = identity.load_ratchet(tmp_path, enrolment)
    assert ratchet is not None
    assert ratchet.trusted.root == registry.root
    assert sorted(path.name for path in tmp_path.iterdir()) == ["enrolment.json", "link.key", "site.key", "trust.json"]


def test_a_mistyped_code_is_found_before_anything_is_sent(tmp_path: Path, registry: SmallRegistry) -> None:
    """Its checksum tells; the registry hears nothing of it."""
    text = registry.code.text
    for code in (text[:-1] + ("0" if text[-1] != "0" else "1"), text[:-5], "hello"):
        assert "code: " in str(refusal(tmp_path, registry, code=code))
    assert registry.asked == []


def test_a_used_code_and_another_hosts_are_refused(tmp_path: Path, registry: SmallRegistry) -> None:
    """The registry's words, and under which name it was asked."""
    said = str(refusal(tmp_path, registry, host="side-door"))
    assert "does not hold" in said
    assert 'a host called "side-door"' in said
    enrol(tmp_path, registry.url, registry.code.text, HOST, ca=None)
    assert "used" in str(refusal(tmp_path, registry))


def test_another_registry_than_the_codes_is_not_believed(tmp_path: Path, registry: SmallRegistry) -> None:
    """Whoever answers there has another root: the fingerprint in the code tells."""
    with SmallRegistry() as impostor:
        impostor.code = Code(registry.code.secret, impostor.root.fingerprint)
        fault = refusal(tmp_path, registry, url=impostor.url)
    assert isinstance(fault, EnrolFault)
    assert "is not the registry that made this code" in str(fault)


def test_what_answers_there_is_told_apart(tmp_path: Path, registry: SmallRegistry) -> None:
    """No such server, no such name, a page of something else, an untrusted certificate: each in its words."""
    assert isinstance(refusal(tmp_path, registry, url="http://127.0.0.1:1"), Unreachable)
    assert "no such name" in str(refusal(tmp_path, registry, url="http://registry.invalid"))
    registry.lies["enrol"] = lambda handler: handler.send_whole(302, Location="http://elsewhere/")
    assert isinstance(refusal(tmp_path, registry), Odd)
    registry.lies["enrol"] = b"<html>Log in to the network</html>"
    assert "is not the registry" in str(refusal(tmp_path, registry))
    (tmp_path / "tls").mkdir()
    authority = Authority(tmp_path / "tls")
    with SmallRegistry(authority.server()) as safe:
        with pytest.raises(CertificateFault):
            enrol(tmp_path, safe.url, safe.code.text, HOST, ca=None)
        assert enrol(tmp_path, safe.url, safe.code.text, HOST, ca=authority.path).host == HOST


def test_cards_imported_by_hand_are_not_lost_unasked(tmp_path: Path, registry: SmallRegistry) -> None:
    """They are held under this host's own key: only who says so gives them up."""
    feed(tmp_path, ONE_CARD).close()
    own = site_key.load(tmp_path, {}).fingerprint
    fault = refusal(tmp_path, registry)
    assert "1 cards that were imported by hand" in str(fault)
    assert "--replace" in str(fault)
    assert registry.asked == []
    enrol(tmp_path, registry.url, registry.code.text, HOST, ca=None, replace=True)
    assert site_key.load(tmp_path, {}).fingerprint == registry.site_key.fingerprint != own


def test_a_host_is_enrolled_anew_over_a_former_enrolment(tmp_path: Path, registry: SmallRegistry) -> None:
    """A revoked host comes back with another code and other keys."""
    first = enrol(tmp_path, registry.url, registry.code.text, HOST, ca=None)
    registry.is_code_used = False
    second = enrol(tmp_path, registry.url, registry.code.text, HOST, ca=None)
    assert first.key_id != second.key_id
    assert identity.load(tmp_path).enrolment == second


KILLED = """
import os, sys
from pathlib import Path
from sync import durable
from sync.link import enrolling, identity

left = int(sys.argv[2])


def counted(name, real):
    def step(*arguments, **more):
        global left
        left -= 1
        if left < 0:
            os._exit(9)
        return real(*arguments, **more)
    return step


for module in (enrolling, identity):
    for name in ("replace_file", "sync_folder"):
        if hasattr(module, name):
            setattr(module, name, counted(name, getattr(module, name)))
from tests.rig.small_registry import HOST
enrolling.enrol(Path(sys.argv[1]), sys.argv[3], sys.argv[4], HOST, ca=None)
"""


@pytest.mark.parametrize("steps", range(8))
def test_a_crash_leaves_a_host_enrolled_or_not(tmp_path: Path, registry: SmallRegistry, steps: int) -> None:
    """Wherever it falls: the next start finds no enrolment, or finishes a whole one; keys and enrolment never part."""
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(steps), registry.url, registry.code.text]
    ended = subprocess.run(command, check=False, timeout=60, cwd=Path(__file__).parents[3], env={**os.environ})
    assert ended.returncode in {0, 9}
    was_planned = (tmp_path / "enrolling.json").exists()
    assert finish(tmp_path) is was_planned
    if steps == 0:
        with pytest.raises(NotEnrolled):
            identity.load(tmp_path)
        return
    who = identity.load(tmp_path)
    assert registry.hosts[HOST] == who.key.public
    assert site_key.load(tmp_path, {}).fingerprint == who.enrolment.site_key
    assert identity.load_ratchet(tmp_path, who.enrolment) is not None
    assert not finish(tmp_path)


def test_a_damaged_plan_is_said(tmp_path: Path) -> None:
    """What cannot be finished is told by its name."""
    (tmp_path / "enrolling.json").write_text(json.dumps({"host": 1}))
    with pytest.raises(EnrolFault, match=r"enrolling\.json: damaged"):
        finish(tmp_path)
    assert enrolling.finish(tmp_path / "nowhere") is False
