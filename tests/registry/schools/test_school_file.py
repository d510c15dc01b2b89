"""A school's file is read whole, or all that is wrong with it is said."""

from datetime import date

import pytest

from policy.fault import Faulty
from registry import samples
from registry.schools.school_file import parse

SMALL = """
[school]
code = "small"
name = "Väike Kool"
"""


def faults(text: str) -> dict[str, str]:
    """Return what was found at each faulty place."""
    with pytest.raises(Faulty) as faulty:
        parse(SMALL + text)
    return {".".join(map(str, fault.path)): fault.found for fault in faulty.value.faults}


def test_a_school_with_little_to_say_is_a_school() -> None:
    """All else has its default."""
    file = parse(SMALL)
    assert (file.school, file.services, file.rows, file.calendar) == (
        {"code": "small", "name": "Väike Kool"},
        (),
        (),
        None,
    )


@pytest.mark.parametrize("code", samples.SCHOOLS)
def test_the_samples_are_right(code: str) -> None:
    """Both schools' files load as they stand."""
    file = parse((samples.FOLDER / f"{code}.toml").read_text(encoding="utf-8"))
    assert file.school["code"] == code


def test_persons_and_cards_are_rows() -> None:
    """A card names its person, a substitute whom it is lent."""
    file = parse(
        SMALL
        + '[[person]]\nexternal_id = "T-1"\ngiven_name = "Mari"\nfamily_name = "Proov"\nclass = "7b"\nfrom = 2026-09-01\n'
        + '[[card]]\nnumber = "N-1"\nperson = "T-1"\nuid = "EBF2CE70"\n'
        + '[[card]]\nnumber = "S-1"\nkind = "substitute"\nuid = "6611AA03"\nlent_to = "T-1"\n'
    )
    person, card, substitute = file.rows
    assert person.stay is not None
    assert (person.stay.class_name, person.stay.valid_from) == ("7b", date(2026, 9, 1))
    assert card.card is not None
    assert card.person == person.person
    assert (substitute.person, file.lent_to) == (None, (("S-1", "T-1"),))


@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("[shcool]\n", {"shcool"}),
        ('[[product]]\ncode = "a b"\nname = "x"\nyears = 0\n', {"product.0.code", "product.0.years"}),
        ('[[product]]\ncode = "isic"\n', {"product.0.name"}),
        ('[[service]]\ncode = "door"\nname = "Uks"\nrule = { kinds = ["persona"] }\n', {"service.0.rule.kinds.0"}),
        ('[[service]]\ncode = "door"\nname = "Uks"\nrule = 7\n', {"service.0.rule"}),
        ('[calendar]\nbreaks = ["2026-13-01"]\n', {"calendar.breaks.0"}),
        ('[[host]]\nname = "main hall"\n', {"host.0.name"}),
        ('[[card]]\nnumber = "N-1"\nperson = "T-1"\n', {"card.0.person", "card.0.external_id"}),
        (
            '[[card]]\nnumber = "S-1"\nkind = "substitute"\nuid = "XX"\nlent_to = "T-1"\n',
            {"card.0.lent_to", "card.0.uid"},
        ),
        (
            '[[person]]\nexternal_id = "T-1"\nclass = 7\n',
            {"person.0.class", "person.0.given_name", "person.0.family_name"},
        ),
        ("person = 7\n", {"school.person"}),
        ("card = ", {""}),
    ],
)
def test_each_fault_is_said_with_its_place(text: str, places: set[str]) -> None:
    """All at once, so that they are mended in one go."""
    assert set(faults(text)) == places


def test_a_secret_is_not_told() -> None:
    """A UID that cannot be read, and a personal code, are described."""
    found = faults(
        '[[person]]\nexternal_id = "T-1"\ngiven_name = "M"\nfamily_name = "P"\npersonal_code = "37605030299999"\n'
    )
    assert "3760" not in found["person.0.personal_code"]
    assert "3760" not in faults("[[person]]\npersonal_code = 37605030299\n")["person.0.personal_code"]
