import pytest

from zerkalo.kit.phone import normalise_phone


@pytest.mark.parametrize(
    ("typed", "e164"),
    [
        ("+70000000101", "+70000000101"),
        ("70000000101", "+70000000101"),
        (70000000101, "+70000000101"),
        ("80000000101", "+70000000101"),
        ("8 (000) 000-01-01", "+70000000101"),
        ("+7 000 000-01-01", "+70000000101"),
        ("+7\u00a0000\u00a0000\u201101\u201101", "+70000000101"),
        ("0000000101", "+70000000101"),
        ("8123456789", "+78123456789"),
        ("моб. 80000000101", "+70000000101"),
        ("80000000101 Маша", "+70000000101"),
        ("8 000 000-01-01 доб. 12", "+70000000101"),
        ("+375291234567", "+375291234567"),
        (375291234567, "+375291234567"),
        ("8 10 375 29 123-45-67", "+375291234567"),
        ("00375291234567", "+375291234567"),
        ("+77012345678", "+77012345678"),
    ],
)
def test_a_phone_is_read_however_it_was_typed(typed: str | int, e164: str) -> None:
    assert normalise_phone(typed) == (e164, e164[-10:])


@pytest.mark.parametrize(
    "typed", ["", " ", "+", "нет", "12345", 0, -5, 10**400, "1" * 1000, "+7 (000)", "🙂", "0" * 16]
)
def test_what_is_no_phone_gives_nothing(typed: str | int) -> None:
    assert normalise_phone(typed) == (None, None)


@pytest.mark.parametrize(
    "typed", ["+70000000101, +70000000102", "80000000101/80000000102", "80000000101 80000000102"]
)
def test_two_phones_in_one_field_are_none_since_nobody_says_which_is_hers(typed: str) -> None:
    assert normalise_phone(typed) == (None, None)


def test_a_number_that_does_not_parse_still_has_its_last_ten_digits() -> None:
    assert normalise_phone("+8 999 123 45 67") == (None, "9991234567")


def test_a_short_foreign_number_parses_but_has_no_ten_digits() -> None:
    assert normalise_phone("+376 123456") == ("+376123456", None)
