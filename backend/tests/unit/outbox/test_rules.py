"""Addresses of gateways, their answers, pauses."""

import json
from datetime import timedelta
from itertools import accumulate
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerkalo.notices.service import MESSAGE_SPAN
from zerkalo.notices.telegram.service import ALERT_SPAN
from zerkalo.outbox.rules import (
    ATTEMPTS_MAX,
    PAUSE_MAX,
    SmtpServer,
    parse_smtp_url,
    pause_after,
    sms_address,
    sms_refusal,
)
from zerkalo.users.proving.rules import CODE_SPAN

SMS_RU = "https://sms.ru/sms/send?api_id=KEY&to={phone}&msg={text}&json=1"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        (
            "smtp://mail.salon.ru",
            SmtpServer("mail.salon.ru", 587, False, None, None, "zerkalo@mail.salon.ru"),
        ),
        (
            "smtp://info%40salon.ru:p%40ss%2F@mail.salon.ru:2525",
            SmtpServer("mail.salon.ru", 2525, False, "info@salon.ru", "p@ss/", "info@salon.ru"),
        ),
        (
            "smtps://key:secret@smtp.example.com?from=hello%40salon.ru",
            SmtpServer("smtp.example.com", 465, True, "key", "secret", "hello@salon.ru"),
        ),
    ],
)
def test_a_mail_servers_address_is_read_whole(url: str, server: SmtpServer) -> None:
    assert parse_smtp_url(url) == server


def test_the_mail_password_never_shows() -> None:
    assert "p@ss" not in repr(parse_smtp_url("smtp://me:p%40ss@mail.salon.ru"))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=80))
def test_any_text_arrives_at_the_gateway_as_it_is(text: str) -> None:
    query = parse_qs(urlsplit(sms_address(SMS_RU, "+79991234567", text)).query, keep_blank_values=True)

    assert query["to"] == ["79991234567"]
    assert query["msg"] == [text]
    assert query["api_id"] == ["KEY"]


@pytest.mark.parametrize(
    ("status", "body", "refusal"),
    [
        (
            200,
            {"status": "OK", "status_code": 100, "sms": {"7999": {"status": "OK", "status_code": 100}}},
            None,
        ),
        (200, {"status": "ERROR", "status_code": 201}, "refused, code 201"),
        (
            200,
            {"status": "OK", "sms": {"7999": {"status": "ERROR", "status_code": 207}}},
            "refused, code 207",
        ),
        (200, {"success": False}, "refused"),
        (200, {"error": "no money"}, "refused"),
        (200, {"success": True, "error": None}, None),
        (202, "accepted", None),
        # SMS.RU without json=1 (sms.ru/api/send), SMSC (smsc.ru/api/http/send/sms/sms_answer), others
        (200, "100\n201523-1000007\nbalance=52.54", None),
        (200, "201\n", "refused, code 201"),
        (200, "202\n79991234567", "refused, code 202"),
        (200, "100\n207\nbalance=52.54", "refused, code 207"),
        (200, "ERROR = 2 (authorise error)", "refused"),
        (200, "0,-2", "refused"),
        (200, "1234,1,1.40,100.50", None),
        (200, "OK - 1 SMS, ID - 1234", None),
        (200, "1234567", None),
        (200, "", None),
        (200, [1], None),
        (500, {"status": "OK"}, "HTTP 500"),
        (302, "", "HTTP 302"),
    ],
)
def test_a_gateways_answer_is_believed_only_where_it_says_yes(
    status: int, body: object, refusal: str | None
) -> None:
    content = body if isinstance(body, str) else json.dumps(body)

    assert sms_refusal(status, content.encode()) == refusal


@given(st.binary(max_size=200))
def test_any_answer_is_read_without_an_error(body: bytes) -> None:
    sms_refusal(200, body)


def test_a_deeply_nested_answer_is_read_without_an_error() -> None:
    assert sms_refusal(200, b"[" * 100_000) is None


def test_pauses_grow_and_end() -> None:
    pauses = [pause_after(attempts) for attempts in range(1, ATTEMPTS_MAX)]
    known = [pause for pause in pauses if pause is not None]

    assert known == sorted(known)
    assert known[0] == timedelta(seconds=5)
    assert len(known) == len(pauses)
    assert max(known) == PAUSE_MAX
    assert pause_after(ATTEMPTS_MAX) is None


def test_a_code_is_tried_often_and_an_alert_as_long_as_it_is_of_use() -> None:
    pauses = [pause_after(attempts) or timedelta() for attempts in range(1, ATTEMPTS_MAX)]
    tried_after = list(accumulate(pauses, initial=timedelta()))

    assert sum(at < CODE_SPAN for at in tried_after) >= 6
    assert sum(at < MESSAGE_SPAN for at in tried_after) <= 10, "each may be one more SMS"
    assert tried_after[-1] >= ALERT_SPAN
