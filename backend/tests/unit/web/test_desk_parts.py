"""The salon's desk in parts: what is kept and for how long, what is masked, how things are said."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from zerkalo.booking_form.model import HookState
from zerkalo.web.pages.admin.desk import HookAnswer
from zerkalo.web.pages.admin.kept import STALE_SECONDS_MAX, TIMES_KEPT, Asked, Kept
from zerkalo.web.pages.admin.masking import BODY_CHARS_MAX, MASK, shown_body
from zerkalo.web.pages.admin.setup import steps_of
from zerkalo.web.pages.admin.words import about, ago, changes, span

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)


class Figures:
    """Something to read that takes `seconds` by its own clock and counts how often it was read."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.now = 0.0
        self.reads = 0

    async def read(self) -> int:
        await asyncio.sleep(0)
        self.now += self.seconds
        self.reads += 1
        return self.reads

    def monotonic(self) -> float:
        return self.now


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_quick_is_read_for_every_page() -> None:
    figures = Figures(0.01)
    kept = Kept(figures.read, monotonic=figures.monotonic)
    assert [await kept.get() for _ in range(3)] == [1, 2, 3]


async def test_what_takes_long_is_kept_then_shown_once_more_while_it_is_read() -> None:
    figures = Figures(0.2)
    kept = Kept(figures.read, monotonic=figures.monotonic)
    assert await kept.get() == 1

    figures.now += 0.2 * TIMES_KEPT - 0.1
    assert await kept.get() == 1
    await settle()
    assert figures.reads == 1

    figures.now += 0.2
    assert await kept.get() == 1, "nobody waits"
    await settle()
    assert await kept.get() == 2


async def test_what_is_old_or_was_changed_is_waited_for() -> None:
    figures = Figures(0.2)
    kept = Kept(figures.read, monotonic=figures.monotonic)
    await kept.get()
    figures.now += STALE_SECONDS_MAX + 1
    assert await kept.get() == 2
    kept.forget()
    assert await kept.get() == 3


async def test_all_who_ask_at_once_share_one_reading() -> None:
    figures = Figures(0.2)
    kept = Kept(figures.read, monotonic=figures.monotonic)
    assert await asyncio.gather(*(kept.get() for _ in range(20))) == [1] * 20


async def test_a_reading_that_fails_is_told_and_the_next_one_tries_again() -> None:
    failures = [OSError("gone"), None]

    async def read() -> str:
        error = failures.pop(0)
        if error:
            raise error
        return "well"

    kept = Kept(read)
    with pytest.raises(OSError, match="gone"):
        await kept.get()
    assert await kept.get() == "well"


async def test_nobody_waits_for_an_answer_from_afar_and_it_is_asked_for_seldom() -> None:
    figures = Figures(5)
    asked = Asked(figures.read, 0, every_seconds=60, monotonic=figures.monotonic)
    assert asked.peek() == 0
    assert asked.is_asking
    await settle()
    assert [asked.peek() for _ in range(3)] == [1, 1, 1]
    await settle()
    assert figures.reads == 1
    figures.now += 60
    asked.peek()
    await settle()
    assert asked.peek() == 2
    asked.forget()
    asked.peek()
    await settle()
    assert figures.reads == 3


def test_tokens_are_masked_in_json_and_in_what_is_none() -> None:
    body = {
        "salon_id": 1,
        "event": "uninstall",
        "partner_token": "abc",
        "data": [{"user_token": "x", "name": "Анна"}],
    }
    shown = shown_body(json.dumps(body).encode())
    assert json.loads(shown.text) == {
        **body,
        "partner_token": MASK,
        "data": [{"user_token": MASK, "name": "Анна"}],
    }
    for broken in (b'{"partner_token": "a\\"bc", "x": ', b'{"partner_token":"abc', b'{"Api_Key" : abc}'):
        text = shown_body(broken).text
        assert MASK in text
        assert "bc" not in text


def test_any_body_can_be_shown() -> None:
    assert shown_body(b"").text == ""
    assert shown_body(b"\xff\xfe").text == "\N{REPLACEMENT CHARACTER}" * 2
    assert shown_body(b"[" * 100_000).is_cut
    long = shown_body(b'"' + b"x" * BODY_CHARS_MAX + b'"')
    assert (len(long.text), long.is_cut) == (BODY_CHARS_MAX, True)


@pytest.mark.parametrize(
    ("seconds", "ru"),
    [
        (0, "0 с"),
        (59.4, "59 с"),
        (60, "1 мин"),
        (3600, "1 ч"),
        (7500, "2 ч 5 мин"),
        (90_000, "1 день"),
        (3 * 86_400, "3 дня"),
        (25 * 86_400, "25 дней"),
        (-5, "0 с"),
    ],
)
def test_spans_are_as_fine_as_one_cares(seconds: float, ru: str) -> None:
    assert span(seconds, "ru").replace("\N{NO-BREAK SPACE}", " ") == ru


@pytest.mark.parametrize(
    ("resource", "resource_id", "event", "ru"),
    [
        ("record", 123, "update", "запись 123, изменение"),
        ("client", 5, "create", "клиент 5, создание"),
        ("loyalty_card", 7, "burn", "loyalty_card 7, burn"),
        ("schedule", None, None, "график"),
        (None, None, None, ""),
    ],
)
def test_an_event_is_told_in_words(
    resource: str | None, resource_id: int | None, event: str | None, ru: str
) -> None:
    assert about(resource, resource_id, event, "ru").replace("\N{NO-BREAK SPACE}", " ") == ru


def test_how_long_ago() -> None:
    assert ago(None, NOW, "ru") == "ещё не было"
    assert ago(NOW - timedelta(minutes=3), NOW, "en").replace("\N{NO-BREAK SPACE}", " ") == "3 min ago"


def state(*, listed: bool, active: bool) -> HookAnswer:
    return HookAnswer(HookState(1, "https://us", listed, active, 0))


@pytest.mark.parametrize(
    ("answers", "arrived", "expected"),
    [
        ([], False, (None, None, None, None, False)),
        ([], True, (True, True, True, True, True)),
        ([HookAnswer(None, "hooks_not_allowed")], False, (None, None, None, None, False)),
        ([state(listed=False, active=True)], False, (True, False, False, False, False)),
        ([state(listed=True, active=False)], True, (True, True, True, False, False)),
        ([state(listed=True, active=True)], False, (True, True, True, True, False)),
        ([state(listed=True, active=True)], True, (True, True, True, True, True)),
        (
            [state(listed=True, active=True), state(listed=False, active=True)],
            True,
            (True, False, False, False, False),
        ),
    ],
)
def test_steps_are_ticked_as_they_are_seen_to_work(
    answers: list[HookAnswer], arrived: bool, expected: tuple[bool | None, ...]
) -> None:
    steps = steps_of(dict(enumerate(answers)), arrived=arrived)
    assert (steps.opened, steps.added, steps.address, steps.events, steps.saved) == expected


def test_a_history_tells_the_salons_clock_and_one_bookings_state() -> None:
    before = {"appointment_datetime": "2026-12-03T09:00:00+00:00", "status": "PENDING"}
    after = {"appointment_datetime": "2026-12-03T21:30:00+00:00", "status": "CONFIRMED"}

    told = changes(before, after, ZoneInfo("Europe/Moscow"), "ru")

    assert told == [
        ("время", "03.12.2026 12:00", "04.12.2026 00:30"),
        ("состояние", "ожидает", "подтверждена"),
    ]
