"""Sessions: whose they are, and how many are kept."""

from outputs.screen.sessions import MOST_SESSIONS, Sessions


def test_a_session_is_its_devices_alone() -> None:
    """A cookie that a tablet brought to another listener opens nothing."""
    sessions = Sessions()
    made = sessions.begin("local")
    made.kept["shift"] = "Tiiu"
    assert sessions.get(made.id, "local") is made
    assert sessions.get(made.id, "tablet-1") is None
    assert sessions.get("guessed", "local") is None
    assert sessions.get(None, "local") is None


def test_there_are_so_many_and_those_that_keep_nothing_go_first() -> None:
    """A flood of visitors does not end a worker's shift."""
    sessions = Sessions()
    shift = sessions.begin("local")
    shift.kept["shift"] = "Tiiu"
    first = sessions.begin("local")
    for _ in range(2 * MOST_SESSIONS):
        sessions.begin("local")
    assert sessions.get(shift.id, "local") is shift
    assert sessions.get(first.id, "local") is None


def test_where_all_keep_something_the_least_lately_used_goes() -> None:
    """It is bounded whatever comes."""
    sessions = Sessions()
    made = [sessions.begin("local") for _ in range(MOST_SESSIONS)]
    for each in made:
        each.kept["shift"] = "x"
    assert sessions.get(made[0].id, "local") is made[0]
    sessions.begin("local")
    assert sessions.get(made[0].id, "local") is made[0]
    assert sessions.get(made[1].id, "local") is None


def test_a_tablet_that_is_let_go_has_no_session_any_more() -> None:
    """Its shift ends with it."""
    sessions = Sessions()
    gone, stays = sessions.begin("tablet-1"), sessions.begin("tablet-2")
    sessions.end_device("tablet-1")
    assert sessions.get(gone.id, "tablet-1") is None
    assert sessions.get(stays.id, "tablet-2") is stays
