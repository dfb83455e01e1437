"""The pure parts of the pages: words, addresses, receipts, choices, days."""

from datetime import date, datetime, timedelta, timezone

import pytest

from zerkalo.booking_form.model import OfferedTime
from zerkalo.kit.problem import ProblemError
from zerkalo.web.pages import wording
from zerkalo.web.pages.admin import words as admin_words
from zerkalo.web.pages.answers import flashes, problems
from zerkalo.web.pages.book import receipt
from zerkalo.web.pages.book.choice import Choice, read_choice, read_typed
from zerkalo.web.pages.book.days import months_of, nearest_day, parts_of, strip_of
from zerkalo.web.pages.book.widget import origin_of
from zerkalo.web.pages.fields import Fields
from zerkalo.web.pages.forms import Form, whole_number
from zerkalo.web.pages.me.visits import comment_of
from zerkalo.web.pages.page import local_path

MOSCOW = timezone(timedelta(hours=3))
AT = datetime(2026, 12, 3, 15, 30, tzinfo=MOSCOW)


@pytest.mark.parametrize(
    ("kopecks", "text"),
    [(0, "0 ₽"), (250_000, "2 500 ₽"), (299_050, "2 990,50 ₽"), (5, "0,05 ₽"), (-100, "-1 ₽")],
)
def test_money_in_words(kopecks: int, text: str) -> None:
    assert wording.money(kopecks).replace("\N{NO-BREAK SPACE}", " ") == text


@pytest.mark.parametrize(
    ("number", "ru"),
    [
        (0, "0 баллов"),
        (1, "1 балл"),
        (2, "2 балла"),
        (5, "5 баллов"),
        (11, "11 баллов"),
        (12, "12 баллов"),
        (21, "21 балл"),
        (111, "111 баллов"),
        (1234, "1 234 балла"),
        (-1, "-1 балл"),
    ],
)
def test_points_take_their_form(number: int, ru: str) -> None:
    assert wording.points(number, "ru").replace("\N{NO-BREAK SPACE}", " ") == ru


def test_large_numbers_and_days() -> None:
    assert wording.number(1_234_567) == "1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567"
    words = [wording.days(one, "ru").split("\N{NO-BREAK SPACE}")[1] for one in (1, 3, 30, 111)]
    assert words == ["день", "дня", "дней", "дней"]


def test_a_date_tells_its_year_only_where_it_is_another() -> None:
    assert wording.long_date(AT, "ru", today=date(2026, 1, 1)) == "четверг, 3\N{NO-BREAK SPACE}декабря"
    assert wording.long_date(AT, "en", today=date(2025, 1, 1)) == "Thursday, 3\N{NO-BREAK SPACE}December 2026"


@pytest.mark.parametrize(
    ("status", "reason", "is_past", "text"),
    [
        ("PENDING", None, False, "Ждём вас"),
        ("PENDING", None, True, "Прошла"),
        ("CONFIRMED", None, False, "Подтверждена"),
        ("CONFIRMED", None, True, "Прошла"),
        ("COMPLETED", None, True, "Состоялась"),
        ("CANCELLED", "deleted", True, "Отменена"),
        ("CANCELLED", "no_show", True, "Визит не состоялся"),
    ],
)
def test_nobody_is_awaited_for_a_visit_that_is_over(
    status: str, reason: str | None, is_past: bool, text: str
) -> None:
    assert wording.status_of(status, reason, "ru", is_past=is_past) == text


def test_what_did_not_go_well_is_no_good_news() -> None:
    assert set(flashes.FLASHES) >= flashes.WARNINGS
    assert {"replayed_in_vain", "hook_test_failed"} <= flashes.WARNINGS


@pytest.mark.parametrize(
    ("cookie", "text", "kind"),
    [
        (flashes.cookie_of("cancelled"), "The booking is cancelled.", "good"),
        (
            flashes.cookie_of("absent_accepted", 21),
            "Bookings that are gone in YCLIENTS are being cancelled: 21.",
            "good",
        ),
        (flashes.cookie_of("hook_test_failed"), flashes.FLASHES["hook_test_failed"]["en"], "warning"),
        ("absent_accepted", None, "good"),
        ("absent_accepted-many", None, "good"),
        ("anything", None, "good"),
        (None, None, "good"),
    ],
)
def test_a_cookie_shows_a_text_of_ours_with_its_number(
    cookie: str | None, text: str | None, kind: str
) -> None:
    assert flashes.flash_of(cookie, "en") == (text, kind)


def test_every_text_is_there_in_both_languages() -> None:
    for words in (*flashes.FLASHES.values(), *problems.PROBLEMS.values(), *wording.STATUSES.values()):
        assert set(words) == {"ru", "en"}
        assert all(words.values())


@pytest.mark.parametrize("text", ["/me", "/book?company=1&service=2", "/me/visits/5"])
def test_a_path_of_ours_is_gone_on_to(text: str) -> None:
    assert local_path(text, "/") == text


@pytest.mark.parametrize(
    "text", ["", "me", "//evil", "/\\evil", "\\/evil", "https://evil", "/\t/evil", "/a\\b", "/\n", " /me"]
)
def test_any_other_address_is_not(text: str) -> None:
    assert local_path(text, "/me") == "/me"


def test_a_receipt_reads_as_it_was_signed_and_no_other() -> None:
    key = b"one secret, long enough to be one"
    token = receipt.sign(key, 5, 7, AT)

    assert receipt.read(key, token) == (5, 7, AT)
    for other in ("", "AAAA", token[:-1], token + "A", token[:10] + "x" + token[11:], "\u0416", "a" * 1000):
        with pytest.raises(ProblemError):
            receipt.read(key, other)
    with pytest.raises(ProblemError):
        receipt.read(b"another secret, long enough too", token)


def test_a_choice_reads_as_it_was_written() -> None:
    choice = Choice(5, (1, 2), 0, AT.date(), AT)

    assert read_choice(Form(choice.pairs())) == choice


def test_what_is_chosen_later_goes_with_an_earlier_step() -> None:
    choice = Choice(5, (1, 2), 0, AT.date(), AT)

    assert choice.until("time") == Choice(5, (1, 2), 0, AT.date())
    assert choice.until("staff") == Choice(5, (1, 2))
    assert choice.until("services") == Choice(5)
    assert choice.until("branch") == Choice()


def test_nonsense_counts_as_not_chosen() -> None:
    form = Form(
        [("company", "x"), ("service", "-1"), ("staff", "1e3"), ("day", "2026-99-99"), ("time", "12:00")]
    )

    assert read_choice(form) == Choice()


@pytest.mark.parametrize("key", ["a b", "<script>", "\u0416" * 5, "a\n"])
def test_a_key_that_is_none_of_ours_is_dropped(key: str) -> None:
    assert read_typed(Form([("key", "x" + key + "y")])).key == ""


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("", None), ("-7", None), ("٧", None), ("9" * 16, None)]
)
def test_whole_numbers(text: str, number: int | None) -> None:
    assert whole_number(text) == number


def test_the_calendar_leaves_out_weeks_before_and_after_the_free_days() -> None:
    (month,) = months_of([date(2026, 12, 9), date(2026, 12, 23)])

    assert (month.year, month.month) == (2026, 12)
    assert [week[0] for week in month.weeks] == [date(2026, 12, 7), date(2026, 12, 14), date(2026, 12, 21)]
    assert months_of([]) == ()


def test_times_stand_in_the_parts_of_their_day() -> None:
    times = [OfferedTime(AT.replace(hour=hour), f"{hour}:30", 60) for hour in (9, 11, 12, 16, 17, 20)]

    parts = {name: [time.starts_at.hour for time in found] for name, found in parts_of(times)}
    assert parts == {"morning": [9, 11], "afternoon": [12, 16], "evening": [17, 20]}


def test_a_comment_is_shown_without_the_lines_for_programs() -> None:
    assert comment_of("YClients. ID: 1\nКод клиента: ABC12345\nУ окна\nТише") == "У окна\nТише"
    assert comment_of("YClients. ID: 1") == ""


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://n1.yclients.com/company/1?o=", "https://n1.yclients.com"),
        ("http://a.b:81/x", "http://a.b:81"),
    ],
)
def test_the_origin_of_an_address(url: str, origin: str) -> None:
    assert origin_of(url) == origin


def test_no_status_is_nameless() -> None:
    assert wording.status_of("CANCELLED", "no_show", "ru") == "Визит не состоялся"
    assert wording.status_of("PENDING", None, "en") == "Expected"
    assert wording.status_of("NEW", None, "en") == "NEW"


FREE = [date(2026, 12, day) for day in (1, 2, 5, 9, 10, 11, 12, 20, 21)]


@pytest.mark.parametrize(
    ("near", "day"),
    [
        (None, date(2026, 12, 1)),
        (date(2026, 11, 1), date(2026, 12, 1)),
        (date(2026, 12, 5), date(2026, 12, 5)),
        (date(2026, 12, 16), date(2026, 12, 20)),
        (date(2026, 12, 15), date(2026, 12, 12)),
        (date(2027, 1, 1), date(2026, 12, 21)),
    ],
)
def test_moving_begins_at_the_free_day_nearest_to_the_visit(near: date | None, day: date) -> None:
    assert nearest_day(FREE, near) == day
    assert nearest_day([], near) is None


def test_the_strip_shows_a_week_of_free_days_around_the_chosen_one() -> None:
    assert strip_of(FREE, FREE[0]) == tuple(FREE[:7])
    assert strip_of(FREE, FREE[4]) == tuple(FREE[1:8])
    assert strip_of(FREE, FREE[-1]) == tuple(FREE[2:])
    assert strip_of(FREE[:2], FREE[1]) == tuple(FREE[:2])


@pytest.mark.parametrize("text", ["maria@example", "maria", "maria@", "@example.com", ""])
def test_an_e_mail_without_a_whole_domain_is_refused(text: str) -> None:
    fields = Fields(Form([("email", text)]), lambda ru, _: ru)
    assert fields.email() is None
    assert "email" in fields.errors


def test_a_parsers_words_are_not_shown_to_people() -> None:
    assert admin_words.reason("Expected `object | array | null`, got `str` - at `$.data`", "ru") == (
        "тело не такое, как мы знаем"
    )
    assert admin_words.reason("Object contains unknown field `x`", "en") == (
        "the body is not of the form that we know"
    )
