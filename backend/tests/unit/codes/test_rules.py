"""What a code is."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerkalo.codes.rules import ALPHABET, CODE_LENGTH, canonical_code, new_code


def test_a_new_code_is_eight_of_the_alphabet_and_canonical() -> None:
    for _ in range(200):
        code = new_code()

        assert len(code) == CODE_LENGTH
        assert set(code) <= set(ALPHABET)
        assert canonical_code(code) == code


def test_the_alphabet_has_no_look_alikes_and_no_vowels() -> None:
    assert not set(ALPHABET) & set("0OQ1IL2Z5S8BUAEY")
    assert len(set(ALPHABET)) == len(ALPHABET) == 20


def test_chance_is_handed_in_by_a_test_and_secure_otherwise() -> None:
    assert new_code(random.Random(7)) == new_code(random.Random(7))
    assert len({new_code() for _ in range(1000)}) == 1000


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("ABC12345", "ABC12345"),
        (" abc-123 45 ", "ABC12345"),
        ("АВС12345", "ABC12345"),  # Cyrillic
        ("`abc12345`", "ABC12345"),
        ("**ABC12345**", "ABC12345"),
        ("«ABC12345»", "ABC12345"),
        ("ab12", "AB12"),  # an import's own
        ("A" * 20, "A" * 20),
        ("AB1", None),
        ("A" * 21, None),
        ("ABC1234Ж", None),
        ("", None),
        ("ABC1234\x00", None),
    ],
)
def test_what_a_person_types_becomes_the_stored_form_or_nothing(typed: str, code: str | None) -> None:
    assert canonical_code(typed) == code


@given(st.text(max_size=20))
def test_the_stored_form_is_stored_as_it_is(text: str) -> None:
    code = canonical_code(text)

    assert code is None or canonical_code(code) == code
