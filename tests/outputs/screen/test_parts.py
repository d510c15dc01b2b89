"""The parts of the pages: the real people store, control socket and feed are what the pages ask for."""

from pathlib import Path
from typing import TYPE_CHECKING

from outputs.screen.feed import Feed, Streams
from sync.people import PeopleStore
from tests.rig.people import lay_people
from tests.rig.screen import HeldPeople, ToldDaemon

if TYPE_CHECKING:
    from outputs.screen.parts import Answers, Daemon, People


def test_the_people_store_is_what_the_pages_ask(tmp_path: Path) -> None:
    """Type-checked, and asked once."""
    lay_people(tmp_path)
    people: People = PeopleStore(tmp_path)
    person = people.person("1")
    assert person is not None
    assert (person.first_name, person.class_name, people.version) == ("Kadri", "7a", 1)
    assert people.photo("nobody") is None


def test_the_rigs_stand_ins_are_parts_too() -> None:
    """What the tests hold is of the same form as what a host holds."""

    async def never() -> Streams:
        raise OSError("nobody")

    people: People = HeldPeople()
    daemon: Daemon = ToldDaemon()
    answers: Answers = Feed(never)
    assert people.classes() == {"7A": 2, "7B": 1}
    assert daemon is not None
    with answers.follow() as events:
        assert events is not None
