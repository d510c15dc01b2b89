"""What the API refuses, told to a machine by a code and to a person in their language: a closed list.

One code is one status, one sentence in each language. `found` and `expected` are facts of the protocol and stay in English.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

LANGUAGES: Final = ("et", "en", "ru")
_DEFAULT: Final = "en"
_TOLD_MAX: Final = 300


class Phrases(NamedTuple):
    """A code's status, and its sentence in the three languages."""

    status: int
    et: str
    en: str
    ru: str


CODES: Final[Mapping[str, Phrases]] = {
    "malformed": Phrases(400, "Päringut ei saa lugeda.", "The request cannot be read.", "Запрос не удаётся прочитать."),
    "unsigned": Phrases(
        401,
        "Päring ei ole allkirjastatud.",
        "The request is not signed.",
        "Запрос не подписан.",
    ),
    "bad_signature": Phrases(
        401,
        "Allkiri ei kuulu ühelegi siin tuntud lugeja arvutile või on vale kellaajaga.",
        "The signature is no known host's, or of another time.",
        "Подпись не принадлежит известному узлу или сделана в другое время.",
    ),
    "replayed": Phrases(
        401,
        "See päring võeti juba vastu; saatke uue ühekordse arvuga.",
        "This request was taken already; send it with a new nonce.",
        "Этот запрос уже был принят; нужно новое одноразовое число.",
    ),
    "bad_code": Phrases(
        401,
        "Ühekordne kood ei kehti: see on vale, kasutatud või aegunud.",
        "The one-time code does not hold: it is wrong, used or expired.",
        "Одноразовый код недействителен: он неверен, использован или истёк.",
    ),
    "revoked": Phrases(
        403,
        "See lugeja arvuti on tühistatud.",
        "This host was revoked.",
        "Этот узел отозван.",
    ),
    "not_a_desk": Phrases(
        403,
        "See lugeja arvuti ei ole kaardilaud.",
        "This host is no desk.",
        "Этот узел не является столом для карт.",
    ),
    "shows_nothing": Phrases(
        403,
        "See lugeja arvuti ei näita nimesid.",
        "This host shows no names.",
        "Этот узел не показывает имён.",
    ),
    "no_such_photo": Phrases(
        404,
        "Sellist fotot selle lugeja arvuti nimekirjas ei ole.",
        "The host's list of people names no such photo.",
        "Такой фотографии нет в списке этого узла.",
    ),
    "not_found": Phrases(404, "Sellist aadressi ei ole.", "There is no such address.", "Такого адреса нет."),
    "no_such_request": Phrases(
        404,
        "Seda lauda ei ole palutud kaarti lugeda.",
        "This desk was not asked for a card.",
        "Этот стол не просили прочитать карту.",
    ),
    "wrong_method": Phrases(
        405,
        "Seda aadressi ei saa nii kasutada.",
        "This address is not used that way.",
        "Этот адрес так не используется.",
    ),
    "already_tapped": Phrases(
        409,
        "Kaart on juba loetud.",
        "A card was tapped already.",
        "Карта уже считана.",
    ),
    "take_snapshot": Phrases(
        410,
        "Neid muudatusi enam ei ole: võtke kogu seis.",
        "Those changes are no more to be had: take a snapshot.",
        "Этих изменений больше нет: возьмите полный снимок.",
    ),
    "too_late": Phrases(
        410,
        "Kaarti oodati, kuid aeg sai otsa.",
        "The time in which a card was waited for is over.",
        "Время ожидания карты истекло.",
    ),
    "too_large": Phrases(413, "Päring on liiga suur.", "The request is too large.", "Запрос слишком велик."),
    "too_often": Phrases(
        429,
        "Liiga palju katseid; oodake minut.",
        "Too many attempts; wait a minute.",
        "Слишком много попыток; подождите минуту.",
    ),
    "fault": Phrases(
        500,
        "Registris tekkis viga; päringut ei võetud vastu.",
        "The registry has a fault; the request was not taken.",
        "Ошибка реестра; запрос не принят.",
    ),
}


class Refusal(Exception):
    """A request that is refused and changes nothing. `code` is one of CODES, `where` the part of the request that is at fault."""

    def __init__(self, code: str, where: str, found: str, expected: str) -> None:
        """Keep the parts."""
        super().__init__(code, where, found, expected)
        self.code = code
        self.where = where
        self.found = found
        self.expected = expected

    @property
    def status(self) -> int:
        """The HTTP status."""
        return CODES[self.code].status

    def to_json(self, accept_language: str) -> dict[str, str]:
        """Return the answer's members, the message in the first language of `Accept-Language` that we speak."""
        return {
            "error": self.code,
            "where": self.where,
            "found": self.found[:_TOLD_MAX],
            "expected": self.expected[:_TOLD_MAX],
            "message": getattr(CODES[self.code], language(accept_language)),
        }


def language(accept_language: str) -> str:
    """Return the language that is wanted most among ours (RFC 9110, §12.5.4); English where none is."""
    wanted: list[tuple[float, str]] = []
    for part in accept_language.split(",")[:20]:
        tag, _, weight = part.partition(";")
        spoken = tag.strip().lower().split("-")[0]
        if spoken in LANGUAGES:
            wanted.append((-_quality(weight), spoken))
    return min(wanted, key=lambda pair: pair[0])[1] if wanted else _DEFAULT


def _quality(weight: str) -> float:
    try:
        return float(weight.strip().removeprefix("q=") or "1")
    except ValueError:
        return 0.0
