"""The registry's keys and its chain of roots."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from registry.models import RootDocument, SiteState
from registry.publishing import keys
from registry.publishing.keys import KeysFault
from sync.wire.root import Root, chain, first_root, next_root
from tests.rig import registered
from tests.rig.registered import NOON

pytestmark = pytest.mark.django_db


def root_after(held: Root, version: int) -> Root:
    """Follow the chain as a host does."""
    for document in keys.roots_after(version):
        held = next_root(held, document)
    return held


def test_keys_are_made_once_and_stay_the_owners(tmp_path: Path) -> None:
    """The recovery key is told the first time alone; files are 0600."""
    recovery = keys.ensure(NOON, folder=tmp_path)
    assert recovery is not None
    held = keys.load(tmp_path)
    assert keys.ensure(NOON, folder=tmp_path) is None
    assert keys.load(tmp_path).signing.public == held.signing.public
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}
    assert sorted(path.name for path in (tmp_path / "keys").iterdir()) == ["box.key", "root.key", "signing.key"]
    assert keys.read_recovery_text(recovery).public in keys.current_root().root_keys


def test_a_host_takes_the_first_root_by_its_fingerprint(tmp_path: Path) -> None:
    """What the enrolment code carries tells this root from any other."""
    keys.ensure(NOON, folder=tmp_path)
    (document,) = keys.roots_after(0)
    assert first_root(document, keys.current_root().fingerprint).signing_keys == (keys.load(tmp_path).signing.public,)


def test_a_new_generation_is_a_root_that_hosts_follow(tmp_path: Path) -> None:
    """All schools are in it; the keys stay."""
    keys.ensure(NOON, folder=tmp_path)
    SiteState.objects.create(school=registered.school(), version=7)
    held = first_root(keys.roots_after(0)[0], keys.current_root().fingerprint)
    keys.new_generation(NOON + timedelta(days=3), folder=tmp_path)
    after = root_after(held, 1)
    assert (after.version, after.generation) == (2, 2)
    assert SiteState.objects.values_list("generation", "version").get() == (2, 7)
    assert keys.load(tmp_path).signing.public in after.signing_keys


def test_the_recovery_key_replaces_stolen_keys(tmp_path: Path) -> None:
    """Hosts follow to the new keys; the former root key is none any more."""
    recovery = keys.ensure(NOON, folder=tmp_path)
    assert recovery is not None
    stolen = keys.load(tmp_path)
    fingerprint = keys.current_root().fingerprint
    held = first_root(keys.roots_after(0)[0], fingerprint)
    for path in (tmp_path / "keys").iterdir():
        path.unlink()
    with pytest.raises(KeysFault, match="recovery key"):
        keys.load(tmp_path)
    keys.recover(recovery.lower().replace("-", " "), NOON, folder=tmp_path)
    after = root_after(held, 1)
    assert after == chain(keys.roots_after(0), fingerprint)
    assert stolen.root.public not in after.root_keys
    assert stolen.signing.public not in after.signing_keys
    assert keys.load(tmp_path).signing.public in after.signing_keys
    assert keys.read_recovery_text(recovery).public in after.root_keys


def test_another_registrys_recovery_key_is_refused(tmp_path: Path) -> None:
    """And so is one with a letter wrong; nothing is changed by either."""
    recovery = keys.ensure(NOON, folder=tmp_path)
    assert recovery is not None
    wrong = keys.recovery_text(keys.load(tmp_path).signing)
    mistyped = ("A" if recovery[0] != "A" else "B") + recovery[1:]
    for text, why in ((wrong, "another registry"), (mistyped, "checksum"), ("8", "letters"), ("", "checksum")):
        with pytest.raises(KeysFault, match=why):
            keys.recover(text, NOON, folder=tmp_path)
    assert RootDocument.objects.count() == 1


def test_keys_of_another_registry_are_told_from_ours(tmp_path: Path) -> None:
    """A data directory that was put together of two would sign what no host takes."""
    keys.ensure(NOON, folder=tmp_path)
    (tmp_path / "keys" / "signing.key").write_bytes(bytes(32))
    with pytest.raises(KeysFault, match="other keys than root document 1 names"):
        keys.load(tmp_path)


def test_before_the_first_start_there_is_no_root(tmp_path: Path) -> None:
    """It is said how to come by one."""
    with pytest.raises(KeysFault, match="serve"):
        keys.current_root()
    with pytest.raises(KeysFault):
        keys.load(tmp_path)


def test_a_root_is_renewed_long_before_it_ends(tmp_path: Path) -> None:
    """Half of its life is left for hosts that are away; the generation stays."""
    keys.ensure(NOON, folder=tmp_path)
    assert keys.renew(NOON + timedelta(days=300), folder=tmp_path) is None
    renewed = keys.renew(NOON + timedelta(days=400), folder=tmp_path)
    assert renewed is not None
    assert (renewed.version, renewed.generation) == (2, 1)
    assert renewed.expires_at > keys.current_root().issued_at + timedelta(days=700)
    assert replace(renewed, version=1).fingerprint == keys.current_root().fingerprint
