"""Who the neighbours are, as the published list of hosts says."""

from pathlib import Path

import pytest

from sync.cache_file import read_document
from sync.faults import CacheFault
from sync.link.neighbours.directory import Neighbour, read, read_own
from sync.wire.card_key import SiteKey
from tests.rig.parts import ONE_CARD, feed
from tests.rig.published_site import DOCUMENTS, PublishedSite

KEY = SiteKey(bytes(32))
PUBLIC = bytes(range(32))
LISTED = {"name": "till-2", "public_key": PUBLIC.hex()}


def laid(folder: Path, hosts: object) -> PublishedSite:
    """Lay what a registry published."""
    return PublishedSite(folder, KEY, {}, documents={**DOCUMENTS, "hosts": hosts})


def test_the_others_are_known_by_name_key_and_address(tmp_path: Path) -> None:
    """The host itself is no neighbour; one that does not listen is known, and nobody asks it."""
    reached = {**LISTED, "name": "till-3", "address": "10.1.2.3:8441", "services": ["canteen"]}
    laid(tmp_path, [{**LISTED, "name": "till-1"}, LISTED, reached]).close()
    assert read(tmp_path, "till-1") == {
        "till-2": Neighbour("till-2", PUBLIC, None, frozenset()),
        "till-3": Neighbour("till-3", PUBLIC, "10.1.2.3:8441", frozenset({"canteen"})),
    }
    assert read_own(tmp_path, "till-3") == read(tmp_path, "till-1")["till-3"]
    assert read_own(tmp_path, "till-9") is None


def test_before_anything_is_published_there_are_none(tmp_path: Path) -> None:
    """Nor on a host whose cards were imported by hand, nor while the list is changed beside us."""
    assert read(tmp_path, "till-1") == {}
    feed(tmp_path, ONE_CARD).close()
    assert read(tmp_path, "till-1") == {}
    site = laid(tmp_path, [LISTED])
    seen: list[object] = []
    site.change(documents={"hosts": []}, within=lambda: seen.append(read(tmp_path, "till-1")))
    assert list(seen[0]) == ["till-2"]  # type: ignore[call-overload]
    assert read(tmp_path, "till-1") == {}
    site.close()


@pytest.mark.parametrize(
    "entry", [5, {}, {**LISTED, "public_key": "00"}, {**LISTED, "address": "nowhere"}, {**LISTED, "name": ""}]
)
def test_a_list_that_cannot_be_read_is_a_fault(tmp_path: Path, entry: object) -> None:
    """Of a later registry: who is known stays known."""
    laid(tmp_path, [entry]).close()
    with pytest.raises(CacheFault, match="hosts"):
        read(tmp_path, "till-1")


def test_a_damaged_document_is_a_fault(tmp_path: Path) -> None:
    """As of the cards."""
    site = laid(tmp_path, [])
    site.db.execute("UPDATE documents SET value = '{' WHERE name = 'hosts'")
    with pytest.raises(CacheFault, match="hosts"):
        read_document(site.path, "hosts")
    site.close()
