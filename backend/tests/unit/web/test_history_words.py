"""What a booking's history says of payments and messages, in both languages."""

from datetime import UTC

import pytest

from zerkalo.kit.language import Language
from zerkalo.web.pages.admin.words import changes, payment


@pytest.mark.parametrize(
    ("outcome", "language", "text"),
    [
        ("sent", "ru", "отправлено"),
        ("waiting", "en", "waits to be sent"),
        ("expired", "ru", "не отправлено: не удалось вовремя"),
        ("expired; HTTP 500", "en", "not sent: it could not be sent in time"),
        ("no_way", "ru", "не отправлено: нет контакта, на который клиент разрешил писать"),
        ("over_bounds", "en", "not sent: the bounds of SMS are used up"),
        ("HTTP 550", "ru", "не отправлено: HTTP 550"),
    ],
)
def test_what_became_of_a_message_is_told_in_words(outcome: str, language: Language, text: str) -> None:
    told = {"message": "moved", "to": "Анна", "to_user_id": 5, "channel": "phone", "outcome": outcome}

    found = changes(None, told, UTC, language)

    assert [value for _, _, value in found][1:] == ["Анна", "SMS", text]
    assert len(found) == 4, "an account's number says nothing to people"


@pytest.mark.parametrize(
    ("paid", "prepaid", "text"),
    [
        (True, False, "оплачена полностью"),
        (False, True, "предоплата онлайн"),
        (False, False, "не оплачена"),
        (None, None, ""),
    ],
)
def test_a_payment_is_told_in_words(paid: bool | None, prepaid: bool | None, text: str) -> None:
    assert payment(paid, prepaid, "ru") == text


def test_a_linked_client_is_told_by_name_and_one_who_was_erased_by_number() -> None:
    people = {5: "Анна Примерова ABC12345"}

    found = changes({"user_id": 4}, {"user_id": 5}, UTC, "ru", people)

    assert found == [("клиент", "№ 4", "Анна Примерова ABC12345")]


def test_a_change_of_a_payment_is_a_yes_or_a_no() -> None:
    before, after = {"paid": False, "prepaid": False}, {"paid": True, "prepaid": False}

    assert changes(before, after, UTC, "ru") == [("оплачена", "нет", "да")]
