"""What the name of a class says."""

import pytest

from registry.people.classes import by_grade, grade_of, promoted


@pytest.mark.parametrize(
    ("name", "grade", "next_year"),
    [
        ("7b", 7, "8b"),
        ("9a", 9, "10a"),
        ("12", 12, "13"),
        ("10.a", 10, "11.a"),
        ("3 klass", 3, "4 klass"),
        ("teachers", None, None),
        ("", None, None),
        ("2026b", None, None),
    ],
)
def test_a_class_has_a_grade_and_a_name_the_year_after(name: str, grade: int | None, next_year: str | None) -> None:
    """The number at the front is the grade; what follows stays; a class without one stays as it is."""
    assert (grade_of(name), promoted(name)) == (grade, next_year)


def test_classes_stand_in_the_order_of_their_grades() -> None:
    """10a after 9b, whatever the letters say; who has no class comes last."""
    assert sorted(["10a", "", "9b", "1a", "9a", "teachers"], key=by_grade) == ["teachers", "1a", "9a", "9b", "10a", ""]
