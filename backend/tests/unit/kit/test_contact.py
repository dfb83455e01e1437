"""E-mails and languages as people and browsers write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerkalo.kit.contact import canonical_email, comparable_email
from zerkalo.kit.language import language_of


@pytest.mark.parametrize(
    ("typed", "email"),
    [
        (" Anna@Example.COM ", "anna@example.com"),
        ("вася@почта.рф", "вася@почта.рф"),
        ("user@salon", "user@salon"),
        ("a+b@example.com", "a+b@example.com"),
        ("a@b@example.com", None),
        ("a\x00@example.com", None),
        ("a@example.com\nBcc: x@example.com", None),
        ("Anna <a@example.com>", None),
        ("", None),
        ("@", None),
        ("a" * 300 + "@example.com", None),
    ],
)
def test_an_email_has_one_form(typed: str, email: str | None) -> None:
    assert canonical_email(typed) == email


@given(st.emails() | st.text(max_size=60))
def test_the_canonical_form_is_its_own(text: str) -> None:
    email = canonical_email(text)

    assert email is None or (canonical_email(email) == email and email == email.lower())


@pytest.mark.parametrize(
    "typed",
    [
        "вася@почта.рф",
        " Вася@Почта.РФ ",
        "вася@xn--80a1acny.xn--p1ai",
        "ВАСЯ@XN--80A1ACNY.XN--P1AI",
    ],
)
def test_both_spellings_of_a_domain_beyond_ascii_are_one_email(typed: str) -> None:
    assert comparable_email(typed) == canonical_email("вася@почта.рф")


@given(st.emails())
def test_an_email_of_a_record_is_compared_as_an_account_stores_it(email: str) -> None:
    assert comparable_email(email) == (canonical_email(email) or email.lower())


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "ru"),
        ("", "ru"),
        ("en", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("ru,en;q=0.9", "ru"),
        ("en;q=0.5,ru;q=0.7", "ru"),
        ("de,en;q=0.3", "en"),
        ("de", "ru"),
        ("en;q=0", "ru"),
        ("en;q=x", "ru"),
        ("*", "ru"),
    ],
)
def test_russian_unless_english_ranks_above_it(header: str | None, language: str) -> None:
    assert language_of(header) == language
