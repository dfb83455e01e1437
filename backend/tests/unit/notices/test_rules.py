"""When a notice is due: pure."""

import re
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from zerkalo.kit.language import Language
from zerkalo.notices.model import Kind, Movement, NoticePolicy, Visit
from zerkalo.notices.rules import (
    burning_message,
    connected_message,
    decide,
    fresh_since,
    is_quiet,
    points_message,
    visit_message,
)

ZONE = ZoneInfo("Europe/Moscow")
NOW = datetime(2026, 12, 1, 12, 0, tzinfo=ZONE)
AT = NOW + timedelta(days=2)
POLICY = NoticePolicy(kinds=frozenset(Kind))
TOLD = Visit(
    booking_id=1,
    user_id=5,
    status="CONFIRMED",
    starts_at=AT,
    service_name="Стрижка",
    staff_name="Ольга",
    salon="Отражение",
    changed_at=NOW - timedelta(minutes=1),
    created_at=NOW - timedelta(days=3),
    told_user_id=5,
    told_starts_at=AT,
)
NEW = replace(TOLD, told_user_id=None, told_starts_at=None, created_at=NOW - timedelta(minutes=1))
LONG_AGO = NOW - timedelta(hours=2)


@pytest.mark.parametrize(
    ("visit", "kind"),
    [
        (NEW, Kind.CONFIRMATION),
        (replace(NEW, changed_at=LONG_AGO), None),
        (replace(NEW, created_at=LONG_AGO), None),
        (replace(NEW, status="CANCELLED"), None),
        (TOLD, None),
        (replace(TOLD, status="COMPLETED"), None),
        (replace(TOLD, status="PENDING"), None),
        (replace(TOLD, starts_at=AT + timedelta(hours=1)), Kind.MOVED),
        (replace(TOLD, starts_at=AT + timedelta(hours=1), changed_at=LONG_AGO), None),
        (replace(TOLD, starts_at=NOW - timedelta(hours=1)), None),
        (replace(TOLD, status="CANCELLED"), Kind.CANCELLED),
        (replace(TOLD, status="CANCELLED", told_cancelled=True), None),
        (replace(TOLD, told_cancelled=True), Kind.CONFIRMATION),
        (replace(TOLD, told_user_id=6), None),
    ],
)
def test_what_differs_from_what_was_told_is_told(visit: Visit, kind: Kind | None) -> None:
    assert decide(visit, POLICY, now=NOW, since=NOW - timedelta(hours=1)) is kind


def test_a_kind_that_the_salon_did_not_ask_for_is_not_sent() -> None:
    assert decide(NEW, NoticePolicy(kinds={Kind.MOVED}), now=NOW, since=LONG_AGO) is None


@pytest.mark.parametrize(
    ("hours", "hour", "quiet"),
    [
        ((21, 9), 22, True),
        ((21, 9), 3, True),
        ((21, 9), 9, False),
        ((21, 9), 20, False),
        ((1, 5), 3, True),
        ((1, 5), 6, False),
        (None, 3, False),
    ],
)
def test_the_night_is_quiet(hours: tuple[int, int] | None, hour: int, quiet: bool) -> None:
    assert is_quiet(NOW.replace(hour=hour), NoticePolicy(quiet=hours)) is quiet


@pytest.mark.parametrize(
    ("now", "since"),
    [
        (NOW, NOW - timedelta(hours=1)),
        (NOW.replace(hour=9), NOW.replace(hour=21) - timedelta(days=1)),
        (NOW.replace(hour=9, minute=59), NOW.replace(hour=21, minute=0) - timedelta(days=1)),
        (NOW.replace(hour=10), NOW.replace(hour=9)),
    ],
)
def test_the_hours_of_the_night_do_not_make_news_old(now: datetime, since: datetime) -> None:
    assert fresh_since(now, POLICY) == since


def test_a_message_is_short_enough_for_an_sms() -> None:
    for kind in (Kind.CONFIRMATION, Kind.MOVED, Kind.CANCELLED, Kind.REMINDER):
        _, text = visit_message(kind, TOLD, "ru")
        assert "3 декабря в 12:00" in text
        assert len(text) < 134, "two parts of an SMS in Cyrillic"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.CONFIRMATION, "You are booked: 3 December at 12:00, Стрижка, Ольга. Отражение."),
        (Kind.MOVED, "Your visit was moved to 3 December at 12:00, Стрижка, Ольга. Отражение."),
        (Kind.CANCELLED, "Your visit was cancelled: 3 December at 12:00, Стрижка, Ольга. Отражение."),
        (Kind.REMINDER, "A reminder of your visit: 3 December at 12:00, Стрижка, Ольга. Отражение."),
    ],
)
def test_in_english_the_words_are_ours_and_the_names_the_salons(kind: Kind, text: str) -> None:
    assert visit_message(kind, TOLD, "en")[1] == text


@pytest.mark.parametrize(("language", "letters"), [("ru", "а-яё"), ("en", "a-z")])
def test_every_message_is_in_that_language_alone(language: Language, letters: str) -> None:
    kinds = (Kind.CONFIRMATION, Kind.MOVED, Kind.CANCELLED, Kind.REMINDER)
    texts = [
        *points_message(Movement(1, 5, 0, 9, 10, None), language),
        *points_message(Movement(1, 0, -5, 9, 10, None), language),
        *points_message(Movement(1, 5, -3, 9, 10, None), language),
        *burning_message(5, 7, language),
        connected_message(language, was_anothers=True),
        *(visit_message(kind, TOLD, language)[0] for kind in kinds),
    ]
    assert all(re.fullmatch(rf"[{letters}\W\d]+", text, re.IGNORECASE) for text in texts), texts
