"""A host that speaks with its neighbours no more tells the registry so."""

from pathlib import Path

from sync.wire.listens import Listens
from tests.rig.linked import enrolled, held, running, until
from tests.rig.small_registry import HOST, SmallRegistry

LISTED = {"name": HOST, "public_key": bytes(range(32)).hex()}
REACHED = {**LISTED, "address": "10.1.2.3:8441", "services": ["canteen"]}


def test_an_address_that_is_still_published_is_taken_back(tmp_path: Path) -> None:
    """`[neighbours]` was taken out of the file: the others shall not go on asking there."""
    with SmallRegistry() as registry:
        registry.site.documents["hosts"] = [REACHED]
        with running(enrolled(tmp_path / "state", registry), registry.url):
            until(lambda: registry.listens == {HOST: Listens(None, ())})


def test_a_host_that_is_published_without_one_says_nothing(tmp_path: Path) -> None:
    """As each that never spoke with others."""
    with SmallRegistry() as registry:
        registry.site.documents["hosts"] = [LISTED, {**REACHED, "name": "till-2"}]
        host = enrolled(tmp_path / "state", registry)
        for _ in range(2):  # the second time it holds the list from the beginning
            with running(host, registry.url):
                until(lambda: held(host) == (1, 1))
                until(lambda: registry._streams)
        assert registry.listens == {}
