import pytest

from zerkalo.kit.phone import keys_alike, normalise_phone, phone_key, same_phone


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
        # as spreadsheets leave it
        ("9161234570.0", "+79161234570"),
        ("9161234570,00", "+79161234570"),
        ("79161234570.0", "+79161234570"),
        ("+79161234570.0", "+79161234570"),
        ("9,161234567E+09", "+79161234567"),
        ("9.161234567e9", "+79161234567"),
        ("7.9161234567E+10", "+79161234567"),
        ("9.1612345670E+09", "+79161234567"),
    ],
)
def test_a_phone_is_read_however_it_was_typed(typed: str | int, e164: str) -> None:
    assert normalise_phone(typed) == (e164, e164[-10:])


@pytest.mark.parametrize(
    "typed",
    ["", " ", "+", "нет", "12345", 0, -5, 10**400, "1" * 1000, "+7 (000)", "🙂", "0" * 16],
)
def test_what_is_no_phone_gives_nothing(typed: str | int) -> None:
    assert normalise_phone(typed) == (None, None)


@pytest.mark.parametrize("typed", ["9,16123E+09", "9E+09", "9,1612345678E+09", "9.161234567E-09", "1.5"])
def test_a_number_that_a_spreadsheet_cut_is_refused(typed: str) -> None:
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


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("+7 916 123-45-67", "8 (916) 123 45 67", True),
        ("9161234567", "+79161234567", True),
        ("+91 9161234567", "+7 916 123-45-67", False),
        ("+91 9161234567", "9161234567", False),
        ("+8 916 123 45 67", "+79161234567", True),  # the one has no country code that exists
        ("+8 916 123 45 67", "+919161234567", True),
        ("+376 123456", "+376123456", True),
        ("+376 123456", "+376123457", False),
        ("+79161234567", "+79161234568", False),
    ],
)
def test_whole_numbers_are_compared_where_both_have_a_country_code(one: str, other: str, same: bool) -> None:
    first, second = phone_key(one), phone_key(other)
    assert first is not None
    assert second is not None

    assert same_phone(first, second) is same_phone(second, first) is same


def test_what_an_index_is_asked_for_finds_every_phone_that_is_the_same() -> None:
    assert keys_alike("+79161234567") == ("+79161234567", "9161234567")
    assert keys_alike("+376123456") == ("+376123456",)
    assert keys_alike("9161234567") == ("9161234567",)
