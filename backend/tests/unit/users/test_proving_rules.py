"""Proof codes, messages, and who takes over whom."""

import random
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from zerkalo.outbox.model import Channel
from zerkalo.users.model import User
from zerkalo.users.proving import rules
from zerkalo.users.proving.model import Aim, Contact

NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
EMAIL, PHONE = Channel.EMAIL, Channel.PHONE


def person(id_: int, **fields: object) -> User:
    values: dict[str, object] = {
        "email": None,
        "phone": None,
        "phone10": None,
        "name": "",
        "unique_code": None,
        "has_password": False,
        "role": None,
        "email_verified_at": None,
        "phone_verified_at": None,
        "token_epoch": 0,
        "created_at": NOW,
        "updated_at": NOW,
        "erased_at": None,
        "merged_into": None,
        "rematch_wanted_at": None,
    }
    return User(id=id_, **(values | fields))  # pyright: ignore[reportArgumentType]  # fields by name


HER = person(1, email="her@example.com", phone="+79991234567", has_password=True)


@pytest.mark.parametrize(
    ("channel", "holders", "taken_over"),
    [
        (EMAIL, [], None),
        (EMAIL, [person(2, email="her@example.com")], 2),
        (EMAIL, [person(2, email="her@example.com", has_password=True)], None),
        (EMAIL, [person(2, email="her@example.com", role="owner")], None),
        (EMAIL, [person(2, email="her@example.com", role="read_only")], None),
        (PHONE, [person(2, phone="+79991234567")], 2),
        # What she says of her e-mail is not proved, and by a phone alone she would get what the e-mail names.
        (PHONE, [person(2, phone="+79991234567", email="her@example.com")], None),
        (PHONE, [person(2, phone="+19991234567")], None),
        (PHONE, [person(2, phone="+79991234567", email="mother@example.com")], None),
        (PHONE, [person(2, phone="+79991234567"), person(3, phone="+79991234567")], None),
        (PHONE, [person(2, phone="+79991234567", has_password=True)], None),
    ],
)
def test_only_what_was_imported_for_one_person_is_taken_over(
    channel: Channel, holders: list[User], taken_over: int | None
) -> None:
    found = rules.account_taken_over(HER, channel, holders)

    assert (found.id if found else None) == taken_over


def test_a_code_is_six_digits_with_leading_zeros() -> None:
    codes = [rules.new_proof_code(random.Random(seed)) for seed in range(300)]

    assert all(len(code) == 6 and code.isdigit() for code in codes)
    assert any(code.startswith("0") for code in codes)


def test_the_digest_of_a_code_is_bound_to_whom_what_and_why() -> None:
    aim = Aim("verify", Contact(EMAIL, "her@example.com"), 1)

    same = rules.proof_digest(b"key", aim, "123456")

    assert same == rules.proof_digest(b"key", aim, "123456")
    assert same != rules.proof_digest(b"key", aim, "123457")
    for other in (
        replace(aim, user_id=2),
        replace(aim, user_id=None),
        replace(aim, purpose="reset"),
        replace(aim, contact=Contact(EMAIL, "x@example.com")),
    ):
        assert rules.proof_digest(b"key", other, "123456") != same


def test_the_contact_of_whoever_asks_to_sign_in_is_kept_as_a_digest() -> None:
    """They may be nobody's account: nothing could erase what stood there in clear."""
    aim = Aim("enter", Contact(EMAIL, "her@example.com"))

    assert "her" not in rules.kept_contact(b"key", aim)
    assert rules.kept_contact(b"key", aim) == rules.kept_contact(b"key", aim)
    assert rules.kept_contact(b"key", replace(aim, user_id=1)) == "her@example.com"


@pytest.mark.parametrize(
    ("columns", "by_phone"),
    [
        ({}, True),
        ({"has_password": True}, False),
        ({"email": "her@example.com", "email_verified_at": NOW}, False),
        ({"email": "her@example.com"}, True),
        ({"role": "receptionist"}, False),
        ({"role": "owner"}, False),
    ],
)
def test_an_sms_alone_opens_only_an_account_that_has_nothing_else(
    columns: dict[str, object], by_phone: bool
) -> None:
    user = replace(
        HER, **({"has_password": False, "email": None, "email_verified_at": None, "role": None} | columns)
    )

    assert rules.is_opened_by(user, PHONE) is by_phone
    assert rules.is_opened_by(user, EMAIL)


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("channel", [EMAIL, PHONE])
@pytest.mark.parametrize("purpose", ["verify", "reset", "enter"])
def test_a_message_carries_its_code(language: rules.Language, channel: Channel, purpose: str) -> None:
    subject, text = rules.code_message(language, channel, purpose, "012345")

    assert "012345" in text
    assert "012345" not in subject, "a subject shows on a locked screen"
    assert any("а" <= letter <= "я" for letter in text.lower()) == (language == "ru")
    if channel is PHONE:
        assert len(text) <= (70 if language == "ru" else 160), "one SMS"
