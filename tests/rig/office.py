"""A small school for the back office's tests: one user a role, a superuser, a stranger of another school, pupils, cards, hosts."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from registry.models import (
    Card,
    CardKind,
    CardProduct,
    CardState,
    DeskRequest,
    Enrolment,
    Event,
    Host,
    Membership,
    Person,
    Role,
    School,
    Service,
)
from registry.publishing.changes import refresh

PASSWORD = "vaga-salajane-sona"  # noqa: S105 of the tests' users alone
STARTED = date(2020, 9, 1)


@dataclass(slots=True)
class OfficeRig:
    """What the tests go by."""

    school: School
    other: School
    users: dict[str, User]
    pupil: Person
    classmate: Person
    card: Card
    substitute: Card
    lent: Card
    desk: Host
    service: Service
    product: CardProduct


def make_office() -> OfficeRig:
    """Lay the school into the database."""
    school = School.objects.create(code="mets", name="Metsa Kool", roles_that_close=[Role.IT, Role.SECRETARY])
    other = School.objects.create(code="ranna", name="Ranna Kool")
    users = {str(role): _user(str(role), school, role) for role in Role}
    users["stranger"] = _user("stranger", other, Role.IT)
    users["superuser"] = User.objects.create_superuser("superuser", password=PASSWORD)
    users["postless"] = User.objects.create_user("postless", password=PASSWORD)
    product = CardProduct.objects.create(school=school, code="e-card", name="E-õpilaspilet", years=3)
    pupil = person(school, "Õnne", "Tamm", "7B", email="onne@example.ee", code="61001010003")
    classmate = person(school, "Jaan", "Kask", "7B")
    card = a_card(school, "M-0001", person=pupil, product=product, uid=bytes.fromhex("EBF2CE70"))
    substitute = a_card(
        school, "A-01", kind=CardKind.SUBSTITUTE, state=CardState.POOL, uid=bytes.fromhex("0411223344AABB")
    )
    lent = a_card(school, "A-02", kind=CardKind.SUBSTITUTE, state=CardState.POOL, uid=bytes.fromhex("0411223344AACC"))
    service = Service.objects.create(school=school, code="canteen", name="Söökla")
    desk = Host.objects.create(
        school=school, name="kantselei", is_desk=True, public_key=bytes(32), last_heard_at=timezone.now()
    )
    refresh(school)
    return OfficeRig(school, other, users, pupil, classmate, card, substitute, lent, desk, service, product)


def _user(name: str, school: School, role: Role) -> User:
    user = User.objects.create_user(name, password=PASSWORD)
    classes = ["7B"] if role is Role.CLASS_TEACHER else []
    Membership.objects.create(school=school, user=user, role=role, classes=classes)
    return user


def person(
    school: School, given: str, family: str, class_name: str, *, email: str = "", code: str | None = None
) -> Person:
    """Enrol a person of no real name."""
    made = Person.objects.create(
        issuer=school,
        external_id=f"{given}.{family}.{class_name}",
        given_name=given,
        family_name=family,
        email=email,
        personal_code=code,
    )
    Enrolment.objects.create(person=made, school=school, class_name=class_name, valid_from=STARTED)
    return made


def a_card(
    school: School,
    number: str,
    *,
    kind: CardKind = CardKind.PERSONAL,
    state: CardState = CardState.ACTIVE,
    person: Person | None = None,
    product: CardProduct | None = None,
    uid: bytes | None = None,
) -> Card:
    """Lay a card into the database in any state."""
    return Card.objects.create(
        school=school, number=number, kind=kind, state=state, person=person, product=product, uid=uid
    )


def an_event(office: OfficeRig, seq: int, *, card: Card | None = None, verdict: str = "grant") -> Event:
    """Lay an event into the database, as if the desk had told it."""
    now = datetime.now(UTC)
    return Event.objects.create(
        host=office.desk,
        school=office.school,
        epoch=1,
        seq=seq,
        body=b"{}",
        link=bytes(32),
        kind="tap",
        tap_id=f"{seq:032x}",
        time=now,
        service_day=now.date(),
        reader="till-1",
        service="canteen",
        verdict=verdict,
        reason="ok" if verdict == "grant" else "closed",
        card=card,
        person=card.person if card else None,
        received_at=now,
    )


def tapped(office: OfficeRig, user: User, uid: bytes) -> DeskRequest:
    """Lay a desk request whose card has come."""
    now = timezone.now()
    return DeskRequest.objects.create(
        host=office.desk,
        asked_by=user.get_username(),
        asked_at=now,
        expires_at=now + timedelta(minutes=1),
        uid=uid,
        tapped_at=now,
    )
