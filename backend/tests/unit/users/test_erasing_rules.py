"""What a kept body names."""

import json

import pytest

from zerkalo.users.erasing import rules
from zerkalo.users.erasing.rules import body_is_of, names_code


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
