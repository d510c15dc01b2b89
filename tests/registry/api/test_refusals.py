"""Refusals: a closed list of codes, each told in three languages."""

import string

import pytest

from registry.api.refusals import CODES, Refusal, language


@pytest.mark.parametrize("code", CODES)
def test_each_code_is_told_in_each_language(code: str) -> None:
    """Three sentences that differ; the Russian one in its own letters."""
    phrases = CODES[code]
    told = [phrases.et, phrases.en, phrases.ru]
    assert len(set(told)) == 3
    assert all(sentence.endswith(".") for sentence in told)
    assert not set(phrases.ru.replace("nonce", "")) & set(string.ascii_letters)
    assert phrases.status in {400, 401, 403, 404, 405, 409, 410, 413, 429, 500}


@pytest.mark.parametrize(
    ("header", "spoken"),
    [
        ("", "en"),
        ("et", "et"),
        ("de, fr", "en"),
        ("ru;q=0.2, et;q=0.8", "et"),
        ("et-EE", "et"),
        ("en;q=x, ru;q=0.1", "ru"),
        ("*", "en"),
        ("," * 10_000, "en"),
    ],
)
def test_the_language_that_is_wanted_most_is_spoken(header: str, spoken: str) -> None:
    """English where none of ours is wanted, and whatever else comes."""
    assert language(header) == spoken


def test_a_refusal_says_where_what_and_what_is_expected_within_bounds() -> None:
    """What was found is cut: nobody's megabyte comes back."""
    told = Refusal("malformed", "body", "x" * 10_000, "less").to_json("en")
    assert told["error"] == "malformed"
    assert len(told["found"]) == 300
    assert Refusal("revoked", "keyid", "", "").status == 403
