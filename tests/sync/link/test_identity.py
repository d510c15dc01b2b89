"""Who this host is to its registry, and what it believes of it."""

from dataclasses import replace
from pathlib import Path

import pytest

from sync.link import identity
from sync.link.faults import NotEnrolled
from sync.published import PublishedCache
from sync.wire.document import digest_text
from sync.wire.faults import UnknownKey
from sync.wire.snapshot import Meta
from tests.rig.linked import enrolled
from tests.rig.small_registry import SITE, SmallRegistry


def test_an_enrolled_host_finds_its_keys_again(tmp_path: Path) -> None:
    """What was agreed is read back, and the keys are its owner's alone."""
    with SmallRegistry() as registry:
        host = enrolled(tmp_path / "state", registry)
        who = identity.load(host)
        assert (who.enrolment.host, who.enrolment.site, who.enrolment.url) == ("main-hall", SITE, registry.url)
        assert registry.hosts["main-hall"] == who.key.public
    for name in ("link.key", "enrolment.json", "trust.json", "site.key"):
        assert (host / name).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("enrolment.json", None, "found no enrolment.json; enrol this host: viipe enrol URL CODE"),
        ("link.key", None, "found no link.key"),
        ("link.key", b"short", "cannot be read"),
        ("link.key", b"\1" * 64, "is not the key that was enrolled"),
        ("enrolment.json", b"{}", "cannot be read"),
        ("enrolment.json", b"\xff", "cannot be read"),
    ],
)
def test_an_enrolment_that_cannot_be_used_is_said(tmp_path: Path, name: str, content: bytes | None, said: str) -> None:
    """Whatever is missing or damaged, the words tell what to do."""
    with SmallRegistry() as registry:
        host = enrolled(tmp_path / "state", registry)
    if content is None:
        (host / name).unlink()
    else:
        (host / name).write_bytes(content)
    with pytest.raises(NotEnrolled, match=said):
        identity.load(host)


def test_the_ratchet_is_kept_whole(tmp_path: Path) -> None:
    """Roots and what was told come back as they were; a damaged file is none."""
    with SmallRegistry() as registry:
        host = enrolled(tmp_path / "state", registry)
        enrolment = identity.load(host).enrolment
        ratchet = identity.load_ratchet(host, enrolment)
        assert ratchet is not None
        grown = replace(ratchet, trusted=replace(ratchet.trusted, newest=7, version=5, generation=1))
        grown.persist()
        assert identity.load_ratchet(host, enrolment) == grown
        assert identity.load_ratchet(host, replace(enrolment, site="viimsi")) is None
        assert identity.load_ratchet(host, replace(enrolment, fingerprint="0" * 32)) is None
    (host / "trust.json").write_bytes((host / "trust.json").read_bytes()[:-9])
    assert identity.load_ratchet(host, enrolment) is None


def test_what_the_cache_file_holds_goes_before_what_was_written_of_it(tmp_path: Path) -> None:
    """The file changes with its version in one transaction; what the registry told of stays the floor, whatever is held."""
    with SmallRegistry() as registry:
        host = enrolled(tmp_path / "state", registry)
        ratchet = identity.load_ratchet(host, identity.load(host).enrolment)
        assert ratchet is not None
        told = replace(ratchet, trusted=replace(ratchet.trusted, generation=1, version=9, newest=12))
        meta = Meta(SITE, 1, 5, 0, digest_text(3), "k", registry.root.issued_at)
        held = told.over(meta).trusted
        assert (held.version, held.digest, held.newest, held.is_behind) == (5, digest_text(3), 12, True)
        assert told.over(replace(meta, version=20)).trusted.newest == 20
        nothing = told.over(None).trusted
        assert (nothing.version, nothing.generation, nothing.newest) == (0, 0, 12)
        assert told.over(replace(meta, audience="viimsi")).trusted == nothing
    PublishedCache(host).close()


def test_a_ratchet_begins_with_the_root_that_the_code_tells_of(tmp_path: Path) -> None:
    """Another registry's root is not believed."""
    with SmallRegistry() as registry, SmallRegistry() as other:
        roots = tuple(registry.roots)
        assert (
            identity.begin_ratchet(tmp_path / "t", SITE, roots, registry.root.fingerprint).trusted.root == registry.root
        )
        with pytest.raises(UnknownKey):
            identity.begin_ratchet(tmp_path / "t", SITE, roots, other.root.fingerprint)
