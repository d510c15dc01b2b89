from policy.fault import Fault, Faulty


def test_a_fault_is_told_in_one_line_with_its_place() -> None:
    """Keys and places in a list are joined by dots; then what was found, and what is expected."""
    assert str(Fault(("kinds", 2), "int 5", "a kind")) == "kinds.2: found int 5, expected a kind"


def test_a_fault_of_the_whole_names_no_place() -> None:
    """Where the whole value is wrong there is no place to name."""
    assert str(Fault((), "int 5", "a table")) == "found int 5, expected a table"


def test_a_fault_is_told_from_further_out_without_changing() -> None:
    """`under` sets the outer keys before the inner ones, outermost first, and leaves the first fault as it was."""
    fault = Fault(("kinds", 2), "int 5", "a kind")
    assert fault.under("service", "door") == Fault(("service", "door", "kinds", 2), "int 5", "a kind")
    assert fault.path == ("kinds", 2)
    assert fault.under() == fault


def test_faulty_keeps_all_faults_and_tells_them_in_order() -> None:
    """Whoever wrote the data sees everything that is wrong at once."""
    faults = [Fault(("a",), "x", "y"), Fault((), "u", "v")]
    faulty = Faulty(faults)
    assert faulty.faults == tuple(faults)
    assert str(faulty) == "a: found x, expected y; found u, expected v"
    assert isinstance(faulty, ValueError)
