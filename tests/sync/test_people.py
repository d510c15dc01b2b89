"""The names as pages ask for them."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from sync.people import LOOK_EVERY_S, PeopleStore, Worker, folded, natural
from sync.people_box import PeopleBox
from sync.wire.people import Person as WirePerson
from sync.wire.people import Stay
from tests.rig.people import DAY, NAMES, PIN, WORKER, jpeg, lay_people, some_people

MORNING = datetime(2026, 9, 1, 6, tzinfo=UTC)


class Times:
    """The clocks of a store."""

    def __init__(self) -> None:
        """Begin on the document's day."""
        self.now, self.monotonic_s = MORNING, 0.0

    def store(self, state_dir: Path) -> PeopleStore:
        """Return a store that goes by them."""
        return PeopleStore(state_dir, environ={}, now=lambda: self.now, monotonic_s=lambda: self.monotonic_s)


def names(store: PeopleStore, text: str) -> list[str]:
    """Return whom a text finds."""
    return [person.name for person in store.find(text)]


def test_a_person_is_told_by_the_registrys_id(tmp_path: Path) -> None:
    """First name, whole name, class, and whether there is a photo; nobody for an id that is not held."""
    lay_people(tmp_path)
    store = Times().store(tmp_path)
    person = store.person("2")
    assert person is not None
    assert (person.first_name, person.name, person.class_name) == ("Õie-Liis", "Õie-Liis Šmidt", "7a")
    assert (person.has_photo, person.identifiers) == (True, {})
    assert store.photo("2") == jpeg(80)
    assert (store.person("99"), store.photo("6"), store.photo("99")) == (None, None, None)
    assert (store.version, store.shows, store.hands_over, store.fault) == (1, "canteen", None, None)


def test_a_library_is_told_which_identifier_to_hand_over(tmp_path: Path) -> None:
    """And has it for each person."""
    lay_people(tmp_path, shows="library")
    store = Times().store(tmp_path)
    person = store.person("1")
    assert store.hands_over == "library"
    assert person is not None
    assert person.identifiers == {"card": "X-0001", "library": "101"}


def test_without_names_every_question_has_an_answer(tmp_path: Path) -> None:
    """The pages then show words and colours."""
    store = Times().store(tmp_path)
    assert (store.version, store.classes(), store.of_class("7a"), store.find("a")) == (0, {}, (), ())
    assert (store.person("1"), store.photo("1"), store.check_pin(PIN), store.fault) == (None, None, None, None)
    assert (store.shows, store.hands_over) == ("none", None)


def test_classes_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    """9a before 10b, each with how many are enrolled."""
    lay_people(tmp_path)
    store = Times().store(tmp_path)
    assert list(store.classes().items()) == [("7a", 3), ("9a", 2), ("10b", 1)]
    assert [person.first_name for person in store.of_class("7a")] == ["Kadri", "Õie-Liis", "Žanna"]
    assert store.of_class("1x") == ()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("kad", ["Kadri Künnapuu"]),
        ("KUNNAPUU kadri", ["Kadri Künnapuu"]),
        ("oie", ["Õie-Liis Šmidt"]),
        ("liis smi", ["Õie-Liis Šmidt"]),
        ("õie-liis", ["Õie-Liis Šmidt"]),
        ("z", ["Žanna Čerepanova"]),
        ("cer", ["Žanna Čerepanova"]),
        ("алена", ["Алёна Йыги"]),
        ("ИЫГИ", ["Алёна Йыги"]),
        ("ulo ar", []),
        ("ülo ä", ["Ülo Äär"]),
        ("unnapuu", []),
        ("", []),
        ("--", []),
        ("k k", ["Kadri Künnapuu"]),
        ("k k k", []),
    ],
)
def test_a_name_is_found_by_how_its_parts_begin(tmp_path: Path, text: str, found: list[str]) -> None:
    """Whatever the case, the diacritics and the order; not by what stands within."""
    lay_people(tmp_path)
    assert names(Times().store(tmp_path), text) == found


def test_what_is_found_is_bounded(tmp_path: Path) -> None:
    """The first of them by name."""
    many = [(str(n), "Mari", f"Mets {n}", "1a") for n in range(30)]
    content, _ = some_people(names=many, photos=())
    lay_people(tmp_path, people=content)
    store = Times().store(tmp_path)
    assert [person.name for person in store.find("mari", limit=3)] == ["Mari Mets 0", "Mari Mets 1", "Mari Mets 2"]
    assert len(store.find("m")) == 20
    assert store.find("m", limit=0) == ()
    assert store.find("m" * 10_000) == ()


def test_a_new_file_is_read_within_half_a_second(tmp_path: Path) -> None:
    """And one that is gone leaves nobody."""
    times = Times()
    store = times.store(tmp_path)
    assert store.version == 0
    lay_people(tmp_path)
    assert store.version == 0
    times.monotonic_s += LOOK_EVERY_S
    assert store.version == 1
    content, _ = some_people(names=[("1", "Kadri", "Õun", "7a"), *NAMES[1:]])
    lay_people(tmp_path, version=2, people=content)
    times.monotonic_s += LOOK_EVERY_S
    person = store.person("1")
    assert person is not None
    assert (store.version, person.name) == (2, "Kadri Õun")
    PeopleBox(tmp_path, {}).forget()
    times.monotonic_s += LOOK_EVERY_S
    assert (store.version, store.person("1"), store.photo("1")) == (0, None, None)


def test_a_damaged_file_shows_nobody_and_says_why(tmp_path: Path) -> None:
    """Until there is a whole one again."""
    times = Times()
    lay_people(tmp_path)
    whole = (tmp_path / "people.box").read_bytes()
    (tmp_path / "people.box").write_bytes(whole[:-3])
    store = times.store(tmp_path)
    assert store.version == 0
    assert "damaged" in str(store.fault)
    (tmp_path / "people.box").write_bytes(whole)
    times.monotonic_s += LOOK_EVERY_S
    assert (store.version, store.fault) == (1, None)


def test_whoever_is_not_at_the_school_today_is_nobody(tmp_path: Path) -> None:
    """A leaving day still counts (V3.4.1b), a first day begins at the school's midnight, and a host that hears nothing goes by them."""
    content, _ = some_people(names=NAMES[:2], photos=())
    leaves = replace(content.persons[0], stays=(Stay("7a", "pupil", DAY, date(2026, 9, 2)),))
    moves = replace(
        content.persons[1],
        stays=(Stay("7a", "pupil", DAY, date(2026, 9, 2)), Stay("7b", "pupil", date(2026, 9, 3), None)),
    )
    cook = WirePerson("7", "Mall", "Mallikas", stays=(Stay("", "staff", DAY, None),))
    guard = WirePerson("8", "Valvur", "Vares")
    lay_people(tmp_path, people=replace(content, persons=(leaves, moves, cook, guard)))
    times = Times()
    store = times.store(tmp_path)
    times.now = datetime(2026, 9, 2, 20, 59, tzinfo=UTC)  # 23:59 in Tallinn
    assert store.classes() == {"7a": 2}
    times.now = datetime(2026, 9, 2, 21, 0, tzinfo=UTC)
    assert (store.classes(), store.person("1"), names(store, "kadri")) == ({"7b": 1}, None, [])
    person = store.person("2")
    assert person is not None
    assert person.class_name == "7b"
    assert names(store, "ma") == ["Mall Mallikas"]
    assert store.person("8") is not None  # a holder of a staff card who is enrolled nowhere
    times.now = datetime(1970, 1, 1, tzinfo=UTC)
    assert store.classes() == {"7a": 2}  # a clock that lags does not empty the canteen


def test_a_pin_says_whose_it_is(tmp_path: Path) -> None:
    """A wrong one, or what is no PIN, is nobody's; and of two workers with one PIN neither is believed."""
    content, _ = some_people(workers=[("1", WORKER, PIN), ("2", "Teine Töötaja", "13579")])
    lay_people(tmp_path, people=content)
    store = Times().store(tmp_path)
    assert store.check_pin(PIN) == Worker("1", WORKER)
    assert store.check_pin("13579") == Worker("2", "Teine Töötaja")
    assert (store.worker("2"), store.worker("3")) == (Worker("2", "Teine Töötaja"), None)
    assert (store.check_pin("1111"), store.check_pin(""), store.check_pin("x" * 9)) == (None, None, None)
    doubled, _ = some_people(workers=[("1", WORKER, PIN), ("2", "Teine Töötaja", PIN)])
    lay_people(tmp_path / "other", people=doubled)
    assert Times().store(tmp_path / "other").check_pin(PIN) is None


def test_letters_are_folded_and_numbers_sorted() -> None:
    """Estonian, Latin and Cyrillic letters alike."""
    assert folded("ÕÄÖÜ ŠŽ Йё") == "oaou sz ие"
    assert sorted(["10b", "9a", "1", "9B", ""], key=natural) == ["", "1", "9a", "9B", "10b"]
