"""Two tills of a real registry: it makes them known to each other, dies, and one lunch stays one; afterwards each event is there once."""

import json
import re
import signal
from pathlib import Path

import pytest

from policy.model import Verdict
from policy.reasons import Reason
from sync import site_key
from sync.link import enrolling, identity
from tests.rig.linked import until
from tests.rig.registry_process import RegistryProcess
from tests.rig.tills import DEADLINE_MS, PUPIL, Till, at_once

CODE = re.compile(r"(?:[0-9A-Z]{4}-){13}[0-9A-Z]{4}")
A_CANTEEN = """
from datetime import date
from registry.publishing.changes import refresh
now = timezone.now()
school = School.objects.create(code="thg", name="thg")
service = Service.objects.create(school=school, code="canteen", name="Canteen")
RuleVersion.objects.create(
    service=service, number=1, table={"kinds": ["personal"], "per_day": 1}, created_at=now, created_by="test", published_at=now
)
person = Person.objects.create(issuer=school, external_id="p1", given_name="Given", family_name="Family")
Enrolment.objects.create(person=person, school=school, class_name="7a", valid_from=date(2020, 9, 1))
Card.objects.create(school=school, number="1", kind="personal", person=person, uid=bytes.fromhex("EBF2CE70"), state="active")
refresh(school)
"""
COUNTED = """
import json
rows = Event.objects.filter(school__code="thg").order_by("pk")
print(json.dumps([[e.host.name, e.kind, e.holder] for e in rows if e.kind in ("tap", "system")]))
print(Fact.objects.count(), SetAside.objects.count())
"""

pytestmark = pytest.mark.timeout(240)


def enrolled(folder: Path, name: str, registry: RegistryProcess) -> Till:
    """Enrol a till at the registry, as a person does."""
    till = Till(folder, name, registry.url, DEADLINE_MS)
    for left in (identity.ENROLMENT_NAME, identity.KEY_NAME, "site.key"):
        (till.state_dir / left).unlink()
    found = CODE.search(registry.command("enrol-code", name, "--school", "thg"))
    assert found
    enrolling.enrol(till.state_dir, registry.url, found[0], name, ca=None)
    till.site_key = site_key.load(till.state_dir)
    return till


def test_one_lunch_while_the_registry_is_dead_and_each_event_once_in_the_end(tmp_path: Path) -> None:
    """T28: found through the published list, asked without a registry, reconciled by it: what was heard counts for nobody there."""
    with RegistryProcess() as registry:
        registry.do(A_CANTEEN)
        tills = [enrolled(tmp_path, name, registry) for name in ("till-1", "till-2")]
        for till in tills:
            till.start()
        try:
            until(lambda: all(till.cache.find(PUPIL) for till in tills), "cards", 60)
            until(lambda: tills[0].sees(tills[1]) and tills[1].sees(tills[0]), "each other", 60)
            registry.stop(signal.SIGKILL)
            told = at_once(*(till.tap for till in tills))
            assert sorted(each.verdict for each in told) == [Verdict.DENY, Verdict.GRANT]
            assert all(each.flags == () or "quota_unknown" not in each.flags for each in told)
            served, other = sorted(tills, key=lambda till: -till.grants())
            until(lambda: len(other.heard()) == 1)
            assert other.tap(PUPIL).reason is Reason.ALREADY_TODAY
            registry.start()
            for till in tills:
                until(lambda till=till: _is_uploaded(till), str(till.link.report.faults), 60)  # type: ignore[misc]
            events, counts = registry.do(COUNTED).splitlines()
            assert [each for each in json.loads(events) if each[2]] == [[served.name, "tap", "person 1"]]
            assert [each[0] for each in json.loads(events) if each[1] == "system"] == [other.name]
            assert counts == "0 0"
        finally:
            for till in tills:
                till.stop()


def _is_uploaded(till: Till) -> bool:
    mark = till.link.report.table()["watermark"] or {}
    return bool((mark.get("epoch"), mark.get("seq")) == (till.journal.epoch, till.journal.seq))
