"""Proof codes, messages, and who takes over whom."""

import json
import random
from datetime import UTC, datetime

import pytest

from zerkalo.outbox.model import Channel
from zerkalo.users import rules
from zerkalo.users.model import User
from zerkalo.users.rules import body_is_of, names_code

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
        "is_admin": False,
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
        (EMAIL, [person(2, email="her@example.com", is_admin=True)], None),
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
    def digest(**changes: object) -> bytes:
        values: dict[str, object] = {
            "user_id": 1,
            "purpose": "verify",
            "channel": EMAIL,
            "contact": "her@example.com",
            "code": "123456",
        }
        return rules.proof_digest(b"key", **(values | changes))  # pyright: ignore[reportArgumentType]  # fields by name

    same = digest()

    assert same == digest()
    for changes in ({"user_id": 2}, {"purpose": "reset"}, {"contact": "x@example.com"}, {"code": "123457"}):
        assert digest(**changes) != same


@pytest.mark.parametrize("language", ["ru", "en"])
@pytest.mark.parametrize("channel", [EMAIL, PHONE])
@pytest.mark.parametrize("purpose", ["verify", "reset"])
def test_a_message_carries_its_code(language: rules.Language, channel: Channel, purpose: str) -> None:
    subject, text = rules.code_message(language, channel, purpose, "012345")

    assert "012345" in text
    assert "012345" not in subject, "a subject shows on a locked screen"
    assert any("а" <= letter <= "я" for letter in text.lower()) == (language == "ru")
    if channel is PHONE:
        assert len(text) <= (70 if language == "ru" else 160), "one SMS"


@pytest.mark.parametrize(
    ("data", "is_hers"),
    [
        ({"client": {"phone": "8 (999) 123-45-67", "email": " Anna@Mail.test"}, "comment": "x"}, True),
        ({"client": {"phone": "79991234567", "email": "anna@mail.test"}, "comment": "another"}, False),
        ({"client": {"phone": "79991234567", "email": ""}, "comment": "x"}, False),
        ({"client": {"phone": "79990000000", "email": "anna@mail.test"}, "comment": "x"}, False),
        ({"client": None}, False),
        ({"comment": "x"}, True),
        ({}, True),
        ([], True),
        ("text", False),
        (None, False),
    ],
)
def test_a_body_is_of_who_it_names_or_of_nobody(data: object, is_hers: bool) -> None:
    body = json.dumps({"data": data})
    assert body_is_of(body, email="anna@mail.test", phone10="9991234567", comment="x") is is_hers


@pytest.mark.parametrize("body", ["", "[1]", "not JSON", "{}", "[" * 100_000, '{"data": {"client": "Anna"}}'])
def test_a_body_that_can_not_be_read_is_nobodys(body: str) -> None:
    assert not body_is_of(body, email=None, phone10=None, comment="")


@pytest.mark.parametrize(
    ("text", "client_id"),
    [
        ('{"id": 7, "client": {"id": 9001, "name": "x"}}', 9001),
        ('{"resource": "record", "data": {"client": {"id": 9001}}}', 9001),
        (b'{"data": {"client": {"id": 9001}}}', 9001),
        ('{"client": {"id": "9001"}}', None),
        ('{"client": {"id": 0}}', None),
        ('{"client": {"id": 9223372036854775808}}', None),
        ('{"client": []}', None),
        ('{"client": null}', None),
        ('{"data": []}', None),
        ("[1]", None),
        ("not json", None),
        (b"\xff", None),
        ("[" * 100_000, None),
    ],
)
def test_a_records_client_is_told_by_her_number(text: str | bytes, client_id: int | None) -> None:
    assert rules.client_id_in(text) == client_id


@pytest.mark.parametrize(
    ("body", "is_hers"),
    [
        ('{"data": {"phone": "8 999 123 45 67", "email": ""}}', True),
        ('{"data": {"phone": "", "email": " HER@example.com"}}', True),
        ('{"data": {"phone": "+79990000000", "email": "mother@example.com"}}', False),
        ('{"data": {}}', False),
        ('{"data": []}', False),
        ("{}", False),
        ("not json", False),
    ],
)
def test_a_card_is_of_who_proved_a_contact_in_it(body: str, is_hers: bool) -> None:
    assert rules.card_is_of(body, email="her@example.com", phone10="9991234567") is is_hers
    assert rules.card_is_of(body, email=None, phone10=None) is False


@pytest.mark.parametrize("is_ascii", [True, False])
@pytest.mark.parametrize(
    "comment",
    [
        "Код клиента: ANNA1234",
        "Код клиента «ANNA1234»",
        "Код клиента №ANNA1234 Петрова",
        "Код клиента–ANNA1234",
        "код клиента: anna1234",
        "Код клиентаANNA1234",
        "Код клиента: АNNА1234",
        "Код клиента:\nANNA 12-34",
        "AN\u00adNA1234",
    ],
)
def test_a_body_names_a_code_in_every_spelling_that_links(comment: str, is_ascii: bool) -> None:
    body = json.dumps({"data": {"comment": comment}}, ensure_ascii=is_ascii).encode()

    assert names_code(body, ["CARD0001", "ANNA1234"])
    assert names_code(body[:-3] + b"\xff", ["ANNA1234"])
    assert not names_code(body, ["ANNA1235"])


def test_digits_inside_a_longer_number_are_no_code() -> None:
    assert names_code(b"code 79991234", ["79991234"])
    assert not names_code(b'{"phone": "+799912345678", "id": 1279991234}', ["79991234"])


@pytest.mark.timeout(30)
@pytest.mark.parametrize("filler", [b"\\\\", b"A ", b"\\\\u0410", "А".encode(), b"\\xff"])
def test_a_forged_body_of_a_megabyte_is_read_in_one_go(filler: bytes) -> None:
    assert not names_code(filler * (2**20 // len(filler)), ["AAAA1111"])
    assert names_code(filler * (2**20 // len(filler)) + b" AAAA1111", ["AAAA1111"])
