"""`viipe-registry enrol-code`: the one-time code of a host."""

import argparse
from pathlib import Path

import pytest

from registry.commands import enrol_code
from registry.models import AuditEntry, EnrolCode, Host
from registry.publishing import keys
from registry.refusal import Refused
from sync.wire.enrolment import Code
from tests.rig import registered

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A data directory of its own: keys are made there."""
    monkeypatch.setenv("VIIPE_REGISTRY_DATA", str(tmp_path))


def run(*arguments: str) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser()
    enrol_code.add_arguments(parser)
    return enrol_code.perform(parser.parse_args(arguments))


def test_a_code_names_the_host_and_the_registry(capsys: pytest.CaptureFixture[str]) -> None:
    """A host that is not there yet is added to the only school; the secret itself is kept nowhere."""
    registered.school()
    assert run("library-desk", "--desk") == 0
    said = capsys.readouterr()
    code = Code.parse(said.out)
    assert code.fingerprint == keys.current_root().fingerprint
    assert bytes(EnrolCode.objects.get().secret_sha256) == code.secret_sha256
    assert Host.objects.get().is_desk
    assert "library-desk" in said.err


def test_a_new_code_ends_the_former() -> None:
    """Of one host there is one code at a time."""
    registered.host(registered.school(), "main-hall")
    run("main-hall")
    run("main-hall")
    assert EnrolCode.objects.count() == 1


def test_what_cannot_be_meant_is_refused() -> None:
    """No school, several, another than the host's, a name that no address could hold, a code for a year."""
    for arguments, code in ((("main-hall",), "which_school"), (("main-hall", "--hours", "9999"), "bad_hours")):
        with pytest.raises(Refused) as refused:
            run(*arguments)
        assert refused.value.code == code
    registered.school("thg")
    registered.host(registered.school("viimsi"), "till")
    for arguments, code in (
        (("main-hall",), "which_school"),
        (("main-hall", "--school", "nowhere"), "which_school"),
        (("till", "--school", "thg"), "other_school"),
        (("main hall!", "--school", "thg"), "bad_name"),
    ):
        with pytest.raises(Refused) as refused:
            run(*arguments)
        assert refused.value.code == code
    assert Host.objects.count() == 1


def test_a_host_is_let_show_names_with_its_code() -> None:
    """Audited as in the office; left out it stays as it is."""
    registered.school()
    run("till", "--shows", "canteen")
    run("till")
    assert Host.objects.get().shows == "canteen"
    run("till", "--shows", "none")
    assert Host.objects.get().shows == "none"
    told = AuditEntry.objects.filter(action="host shows").order_by("pk").values_list("detail", flat=True)
    assert list(told) == [{"shows": "canteen", "before": "none"}, {"shows": "none", "before": "canteen"}]
    with pytest.raises(SystemExit):
        run("till", "--shows", "everything")
