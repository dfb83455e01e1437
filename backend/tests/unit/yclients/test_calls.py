"""What a call sends, when it is repeated, and what each answer means."""

import gzip
import logging
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from tests.support.scripted_yclients import NOW, ScriptedVendor, answer
from zerkalo.yclients import calls
from zerkalo.yclients.client import YclientsClient, appointment
from zerkalo.yclients.errors import (
    AccessDenied,
    BookingRefused,
    NotFound,
    RequestRefused,
    VendorError,
    VendorUnavailable,
)
from zerkalo.yclients.model import UnreadableRecord

BOOKING: dict[str, Any] = {
    "phone": "+7 000 000-01-01",
    "fullname": "Клиент",
    "email": "",
    "api_id": "app-1",
    "appointments": [appointment(1, service_ids=[3001], staff_id=501, starts_at=NOW)],
}


async def read_page(vendor: ScriptedVendor) -> Any:
    async with vendor.client() as client:
        return await client.records_page(100200, page=1)


async def book(vendor: ScriptedVendor) -> Any:
    async with vendor.client() as client:
        return await client.book_record(100200, BOOKING)


async def test_records_are_asked_for_with_both_tokens_and_the_form_with_the_partners() -> None:
    vendor = ScriptedVendor(answer(200, "31"), answer(200, "61"))

    async with vendor.client() as client:
        await client.records_page(100200, page=4)
        await client.book_staff(100200, service_ids=[3001, 3002])

    records, staff = vendor.requests
    assert records.headers["Authorization"] == "Bearer PARTNER-TOKEN, User USER-TOKEN"
    assert staff.headers["Authorization"] == "Bearer PARTNER-TOKEN"
    assert {request.headers["Accept"] for request in vendor.requests} == {"application/vnd.yclients.v2+json"}
    assert str(records.url) == "https://api.example.com/api/v1/records/100200?page=4&count=200&with_deleted=1"
    assert staff.url.params.get_list("service_ids[]") == ["3001", "3002"]
    assert vendor.limiter.acquired == ["background", "interactive"]


@pytest.mark.parametrize(
    ("partner", "user", "missing"),
    [
        ("", "", "YCLIENTS_PARTNER_TOKEN, YCLIENTS_USER_TOKEN"),
        ("", "U", "YCLIENTS_PARTNER_TOKEN"),
        ("P", "", "YCLIENTS_USER_TOKEN"),
    ],
)
async def test_without_a_token_nothing_is_sent_and_the_setting_is_named(
    partner: str, user: str, missing: str
) -> None:
    vendor = ScriptedVendor(answer(200, "61"))
    async with vendor.client(partner=partner, user=user) as client:
        with pytest.raises(AccessDenied, match=f"not set: {missing}$"):
            await client.records_page(100200, page=1)
        assert vendor.requests == []
        if partner:
            await client.book_staff(100200)  # for which the partner's is enough


@pytest.mark.parametrize(
    "bad",
    [
        answer(500),
        answer(503, b"<html>busy</html>"),
        answer(408),
        answer(200, b"<html>hello</html>"),
        answer(200, b'{"success":true,"data":[{"id":1'),
        answer(200, b""),
        answer(200, "52"),
        answer(200, b'{"success":true,"data":null}'),
        answer(404, b"<html>nginx</html>"),
        httpx2.ReadTimeout("slow"),
        httpx2.ConnectError("refused"),
        httpx2.RemoteProtocolError("cut off"),
    ],
)
async def test_a_read_is_repeated_until_it_succeeds(bad: Any) -> None:
    vendor = ScriptedVendor(bad, bad, answer(200, "30"))

    page = await read_page(vendor)

    assert page.raw_count == 3
    assert len(vendor.requests) == 3
    assert vendor.slept == [0.5, 1.0]
    assert len(vendor.limiter.acquired) == 3  # every attempt takes a slot of its own


async def test_a_read_that_fails_lastingly_is_unavailable_and_never_empty() -> None:
    vendor = ScriptedVendor(answer(200, "52"))

    with pytest.raises(VendorUnavailable, match="success is false: Операция не выполнена"):
        await read_page(vendor)

    assert len(vendor.requests) == calls.ATTEMPTS_MAX["background"]


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("Wed, 02 Dec 2026 09:00:30 GMT", 30.0),
        ("Wed, 02 Dec 2026 08:00:00 GMT", 0.5),
        ("0000000000007", 7.0),
        ("soon", 0.5),
    ],
)
async def test_too_many_requests_pauses_everybody_behind_the_address(header: str, seconds: float) -> None:
    vendor = ScriptedVendor(answer(429, "51", Retry_After=header), answer(200, "31"))

    await read_page(vendor)

    assert vendor.limiter.paused == [seconds]
    assert vendor.slept == []  # the limiter holds the next attempt back


async def test_a_longer_wait_than_a_call_can_bear_fails_it_but_still_pauses() -> None:
    vendor = ScriptedVendor(answer(429, Retry_After="600"))

    with pytest.raises(VendorUnavailable) as caught:
        await read_page(vendor)

    assert caught.value.retry_after_seconds == 600
    assert (len(vendor.requests), vendor.limiter.paused) == (1, [600])


async def test_a_server_that_wants_to_be_left_alone_for_longer_is_left_alone_by_everybody() -> None:
    """Else the next question, of a refetch or another process, would come seconds later."""
    vendor = ScriptedVendor(answer(503, Retry_After="600"))

    with pytest.raises(VendorUnavailable):
        await read_page(vendor)

    assert (len(vendor.requests), vendor.limiter.paused) == (1, [600])


async def test_a_busy_server_is_asked_again_when_it_says() -> None:
    vendor = ScriptedVendor(answer(503, Retry_After="12"), answer(200, "31"))

    await read_page(vendor)

    assert (vendor.slept, vendor.limiter.paused) == ([12.0], [])


@pytest.mark.parametrize(
    ("status", "number", "reason"),
    [
        (401, "40", "Необходима авторизация"),
        (401, "41", "Необходима авторизация"),
        (403, "42", "Недостаточно прав"),
        (403, "43", "Необходимо продлить лицензию в филиале с id: 100200"),
        (402, "43", "Необходимо продлить лицензию в филиале с id: 100200"),
    ],
)
async def test_denied_access_tells_why_and_is_not_tried_again(status: int, number: str, reason: str) -> None:
    vendor = ScriptedVendor(answer(status, number))

    with pytest.raises(AccessDenied) as caught:
        await read_page(vendor)

    assert (caught.value.reason, caught.value.status, len(vendor.requests)) == (reason, status, 1)


@pytest.mark.parametrize("number", ["44", "45"])
async def test_a_record_that_yclients_does_not_know_is_none(number: str) -> None:
    async with ScriptedVendor(answer(404, number)).client() as client:
        assert await client.record(100200, 5) is None


async def test_a_404_of_something_in_between_does_not_make_a_record_gone() -> None:
    vendor = ScriptedVendor(answer(404, b"<html>not found</html>"))

    async with vendor.client() as client:
        with pytest.raises(VendorUnavailable):
            await client.record(100200, 5)


async def test_a_missing_list_is_not_found_and_never_empty() -> None:
    with pytest.raises(NotFound):
        await read_page(ScriptedVendor(answer(404, "44")))


async def test_another_record_than_asked_for_is_not_believed() -> None:
    async with ScriptedVendor(answer(200, "32")).client() as client:
        assert (await client.record(100200, 1700010)) is not None
        with pytest.raises(UnreadableRecord):
            await client.record(100200, 1700011)
        with pytest.raises(UnreadableRecord):
            await client.record(100201, 1700010)


async def test_what_an_unsigned_call_asks_for_is_asked_as_such() -> None:
    vendor = ScriptedVendor(answer(200, "32"))

    async with vendor.client() as client:
        await client.record(100200, 1700010, kind="unsigned")

    assert vendor.limiter.acquired == ["unsigned"]


async def test_a_wrong_request_is_refused_with_its_fields() -> None:
    with pytest.raises(RequestRefused) as caught:
        await read_page(ScriptedVendor(answer(422, "46")))

    assert caught.value.fields == {"datetime": "Поле обязательно", "services": "Недопустимое значение"}


@pytest.mark.parametrize(
    ("status", "number", "code", "appointment_id"),
    [
        (422, "47", 433, 1),
        (422, "48", 432, None),
        (403, "49", 434, None),
        (422, "50", None, None),
        (422, "46", None, None),
        (200, "52", None, None),
    ],
)
async def test_a_refused_booking_tells_its_code(
    status: int, number: str, code: int | None, appointment_id: int | None
) -> None:
    vendor = ScriptedVendor(answer(status, number))

    with pytest.raises(BookingRefused) as caught:
        await book(vendor)

    assert (caught.value.code, caught.value.appointment_id, len(vendor.requests)) == (code, appointment_id, 1)


@pytest.mark.parametrize(
    "place", [b'{"meta":{"code":433}}', b'{"success":false,"meta":{"errors":{"code":"433"}}}']
)
async def test_the_code_is_found_wherever_it_may_stand(place: bytes) -> None:
    with pytest.raises(BookingRefused) as caught:
        await book(ScriptedVendor(answer(422, place)))

    assert caught.value.code == 433


async def test_a_booking_that_may_have_been_heard_is_never_repeated() -> None:
    for lost in (httpx2.ReadTimeout("slow"), answer(500), answer(201, b'{"success":tr')):
        vendor = ScriptedVendor(lost, answer(201, "69"))

        with pytest.raises(VendorUnavailable) as caught:
            await book(vendor)

        assert caught.value.may_have_acted
        assert len(vendor.requests) == 1


async def test_a_booking_that_was_surely_not_heard_is_repeated() -> None:
    for unheard in (httpx2.ConnectError("refused"), answer(429)):
        vendor = ScriptedVendor(unheard, answer(201, "70"))

        first, second = await book(vendor)

        assert (first.record_id, second.record_id) == (1700001, 1700002)
        assert len(vendor.requests) == 2


async def test_a_phone_is_sent_as_digits() -> None:
    vendor = ScriptedVendor(answer(201, "69"))

    await book(vendor)

    assert b'"phone":"70000000101"' in vendor.bodies()[0]
    assert b'"datetime":"2026-12-02T09:00:00+00:00"' in vendor.bodies()[0]


async def test_a_redirect_is_not_followed() -> None:
    vendor = ScriptedVendor(answer(302, Location="https://elsewhere.example.com/"))

    with pytest.raises(VendorUnavailable, match="not the API"):
        await read_page(vendor)

    assert len(vendor.requests) == 1


async def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "BODY_BYTES_MAX", 1_000_000)
    packed = gzip.compress(b" " * 50_000_000)
    given: list[int] = []

    async def dribble() -> AsyncIterator[bytes]:
        for start in range(0, len(packed), 100):
            given.append(start)
            yield packed[start : start + 100]

    def bomb(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=dribble(), headers={"Content-Encoding": "gzip"})

    with pytest.raises(VendorUnavailable, match="endless"):
        await read_page(ScriptedVendor(bomb))

    assert len(given) < 20


async def test_a_person_waits_for_two_attempts_only() -> None:
    vendor = ScriptedVendor(answer(503))

    async with vendor.client() as client:
        with pytest.raises(VendorUnavailable):
            await client.book_services(100200)

    assert len(vendor.requests) == 2


async def test_tokens_and_hashes_stay_out_of_errors_and_logs(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # as zerkalo.logs does
    secrets = ("PARTNER-TOKEN", "USER-TOKEN", "HASH-OF-A-BOOKING")
    answers = [answer(401, "40"), answer(302), answer(500), httpx2.ReadTimeout("x"), httpx2.ConnectError("y")]
    for told in (*answers, answer(422, "47"), answer(404, b"<html>")):
        client = ScriptedVendor(told).client()
        with pytest.raises(VendorError) as caught:
            await client.user_record(100200, 7, secrets[2])
        shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(client)
        for secret in secrets:
            assert secret not in shown
            assert secret not in caplog.text
        await client.aclose()


async def test_a_hash_cannot_lead_elsewhere() -> None:
    vendor = ScriptedVendor(answer(404, "44"))

    async with vendor.client() as client:
        assert not await client.delete_user_record(7, "../../records/1?x=")

    assert vendor.requests[0].url.raw_path == b"/api/v1/user/records/7/..%2F..%2Frecords%2F1%3Fx%3D"


async def test_what_the_form_offers_is_read() -> None:
    async with ScriptedVendor(*(answer(200, n) for n in ("60", "61", "62", "63", "64"))).client() as client:
        services = await client.book_services(100200)
        staff = await client.book_staff(100200)
        days = await client.book_dates(100200)
        iso, epoch = [await client.book_times(100200, 501, days[0]) for _ in range(2)]

    assert [(s.service_id, s.title, s.category, int(s.price_max), s.duration_seconds) for s in services] == [
        (3001, "Стрижка", "Волосы", 2500, 3600),
        (3002, "Окрашивание", "Цвет", 4500, None),
    ]
    assert [(person.staff_id, person.is_bookable) for person in staff] == [(501, True), (502, False)]
    assert [(person.rating, person.votes) for person in staff] == [(Decimal("4.9"), 12), (None, 0)]
    assert [day.isoformat() for day in days] == ["2026-12-03", "2026-12-04", "2026-12-07"]
    assert iso[0].starts_at.isoformat() == "2026-12-03T15:30:00+03:00"
    assert epoch[0].starts_at == datetime(2026, 12, 3, 12, 30, tzinfo=UTC)
    assert (iso[0].wall_time, iso[0].duration_seconds) == ("15:30", 3600)


async def test_ones_own_record_and_what_may_be_done_with_it_is_read() -> None:
    async with ScriptedVendor(answer(200, "72")).client() as client:
        own = await client.user_record(100200, 1700001, "0123456789abcdef0123456789abcdef")

    assert (own.record.company_id, own.record.record_id, own.may_delete, own.may_move) == (
        100200,
        1700001,
        True,
        True,
    )
    assert own.record.instant == datetime(2026, 12, 3, 12, 30, tzinfo=UTC)


async def test_deleting_twice_is_deleting_once() -> None:
    async with ScriptedVendor(answer(204), answer(404, "45")).client() as client:
        assert await client.delete_record(100200, 5)
        assert not await client.delete_record(100200, 5)


async def test_a_deletion_that_may_have_been_heard_stays_so_though_the_second_attempt_was_not() -> None:
    for unheard in (httpx2.ConnectError("refused"), answer(429)):
        vendor = ScriptedVendor(httpx2.ReadTimeout("slow"), unheard)

        async with vendor.client() as client:
            with pytest.raises(VendorUnavailable) as caught:
                await client.delete_record(100200, 5)

        assert caught.value.may_have_acted
        assert len(vendor.requests) == 2


async def test_a_zone_that_nobody_knows_is_none() -> None:
    known, unknown = (
        b'{"success":true,"data":{"id":1,"title":"A","timezone_name":"%s"}}' % z
        for z in (b"Europe/Moscow", b"../etc/passwd")
    )
    async with ScriptedVendor(answer(200, known), answer(200, unknown)).client() as client:
        assert (await client.company(1)).timezone_name == "Europe/Moscow"
        assert (await client.company(1)).timezone_name is None


def test_the_client_is_what_the_sync_asks() -> None:
    for name in ("company", "records_page", "record"):
        assert callable(getattr(YclientsClient, name))
