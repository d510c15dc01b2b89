"""The tryout's browser in the back office: what it enters is there, and what is not taken is said."""

from dataclasses import replace
from pathlib import Path

import pytest

from daemon.tryout.fault import StartFault
from daemon.tryout.office import Office
from daemon.tryout.registry import serving


@pytest.mark.timeout(120)
def test_a_host_is_let_to_show_names_and_a_worker_added(tmp_path: Path) -> None:
    """By the office's own forms; an unknown host, a PIN that is none and a wrong password are said."""
    with serving(tmp_path / "registry") as registry:
        registry.command("enrol-code", "tryout", "--school", "thg")
        office = Office(registry)
        office.let_show("tryout", "canteen")
        office.add_worker("thg", "Proovi Söökla", "2468")
        assert "Proovi Söökla" in office._page("/workers/?school=thg")
        with pytest.raises(StartFault, match="no host nowhere"):
            office.let_show("nowhere", "canteen")
        with pytest.raises(StartFault, match="workers"):
            office.add_worker("thg", "Another", "not a pin")
        with pytest.raises(StartFault, match="login"):
            Office(replace(registry, password="wrong"))  # noqa: S106  no secret
