"""One bad event spoils nobody: whatever a body holds, it alone is quarantined, and those beside it are written."""

import asyncio
import json
from typing import Any

import pytest

from tests.support.rows import add_user
from tests.support.salon import BONUSES, Salon, salon
from tests.support.vendor import COMPANY_ID, RECORD_ID, State, event, page_item
from zerkalo.bookings import rules
from zerkalo.db.pool import Pool
from zerkalo.mirror.model import HELD, OutcomeStatus
from zerkalo.mirror.rematching import service as rematching

pytestmark = pytest.mark.integration

WANTED = "2026-01-01T00:00:00Z"
WHOLE = State(5, comment="позвонить")


def with_raw(value: bytes, key: str) -> bytes:
    """A body whose record has that JSON text under a key."""
    changed: dict[str, Any] = {key: "@@"}
    marked = event(WHOLE, **changed)
    return json.dumps(marked, ensure_ascii=False).encode().replace(b'"@@"', value)


ODD_BODIES = {
    "U+0000 in a text": with_raw(rb'"a\u0000b"', "comment"),
    "lone surrogate": with_raw(rb'"a\ud800b"', "comment"),
    "reversed pair": with_raw(rb'"\udc00\ud800"', "comment"),
    "bad UTF-8": with_raw(b'"\xff\xfe"', "comment"),
    "U+0000 in an unknown key": with_raw(rb'{"\u0000": "\u0000"}', "anything"),
    "id of 2^63": with_raw(b"9223372036854775808", "id"),
    "id of 2^63 - 1": json.dumps(event(WHOLE, id=2**63 - 1)).encode(),
    "negative id": with_raw(b"-1", "id"),
    "1e400000 as a length": with_raw(b"1e400000", "seance_length"),
    "1e400000 in an unknown key": with_raw(b"1e400000", "anything"),
    "1e400000 as money": with_raw(b'[{"title":"x","cost":1e400000}]', "services"),
    "1e9 roubles ten thousand times": with_raw(
        b'[{"title":"x","cost":1000000000,"cost_per_unit":1000000000,"discount":0,"amount":10000}]',
        "services",
    ),
    "a length of 400,000 digits": with_raw(b"9" * 400_000, "seance_length"),
    "NaN": with_raw(b"NaN", "attendance"),
    "deep nesting": with_raw(b"[" * 200_000 + b"]" * 200_000, "anything"),
    "deep nesting of a client": with_raw(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "client"),
    "year 0": with_raw(b'"0000-00-00 00:00:00"', "date"),
    "year 9999": with_raw(b'"9999-12-31T23:59:59"', "date"),
    "an offset of a day": with_raw(b'"2026-12-03T15:30:00+23:59"', "last_change_date"),
    "a comment of a mebibyte": with_raw(b'"' + "я".encode() * 500_000 + b'"', "comment"),
    "20,000 services": with_raw(b"[" + b",".join([b'{"title":"x"}'] * 20_000) + b"]", "services"),
    "a code label ten thousand times": with_raw('"{}"'.format("Код клиента: A" * 10_000).encode(), "comment"),
    "services as text": with_raw(b'"x"', "services"),
    "client as a number": with_raw(b"5", "client"),
    "null for everything": json.dumps(event(WHOLE) | {"data": dict.fromkeys(WHOLE.record())}).encode(),
    "empty": b"",
    "a number": b"1",
    "a byte order mark": b"\xef\xbb\xbf" + json.dumps(event(WHOLE)).encode(),
}


@pytest.mark.parametrize("body", ODD_BODIES.values(), ids=ODD_BODIES.keys())
async def test_any_body_is_answered_kept_and_harms_nobody(pool: Pool, body: bytes) -> None:
    async with salon(pool) as server:
        answer, *others = await asyncio.gather(
            server.post(body), *(server.post(event(WHOLE, id=100 + n)) for n in range(5))
        )

        assert answer.status_code in (200, 400, 422), answer.text
        assert [one.json()["status"] for one in others] == ["applied"] * 5
        kept = [bytes(one["body"]) for one in await server.deliveries()]
        assert body in kept, "byte for byte"


async def bad_neighbour(server: Salon) -> list[str]:
    answers = await asyncio.gather(*(server.post(event(WHOLE, id=RECORD_ID + n)) for n in range(50)))
    assert {one.status_code for one in answers} == {200}
    return [one.json()["status"] for one in answers]


async def assert_only_one_is_quarantined(server: Salon, statuses: list[str], reason: str) -> None:
    assert statuses == ["applied"] * 17 + ["quarantined"] + ["applied"] * 32
    assert [one["yclients_record_id"] for one in await server.bookings()] == [
        RECORD_ID + n for n in range(50) if n != 17
    ]
    (kept,) = await server.rows("select * from deliveries where outcome = 'quarantined'")
    assert reason in kept["reason"]
    assert json.loads(bytes(kept["body"]))["data"]["id"] == RECORD_ID + 17
    assert len(await server.deliveries()) == 50


async def refuse_one(pool: Pool, how: str) -> None:
    async with pool.connection() as conn:
        await conn.execute(
            b"create function refuse_one() returns trigger language plpgsql as $$ begin"
            + f" if new.yclients_record_id = {RECORD_ID + 17} then {how}; end if; return new; end $$".encode()
        )
        await conn.execute(
            "create trigger refuse_one before insert on bookings for each row execute function refuse_one()"
        )


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("raise exception 'no'", "RaiseException"),
        ("raise exception using errcode = 'check_violation'", "CheckViolation"),
        ("raise exception using errcode = 'numeric_value_out_of_range'", "NumericValueOutOfRange"),
        ("raise exception using errcode = 'program_limit_exceeded'", "ProgramLimitExceeded"),
    ],
)
async def test_one_that_postgresql_refuses_spoils_none_of_fifty(pool: Pool, how: str, reason: str) -> None:
    await refuse_one(pool, how)
    async with salon(pool) as server:
        await assert_only_one_is_quarantined(server, await bad_neighbour(server), reason)


async def test_one_that_our_own_code_stumbles_over_spoils_none_of_fifty(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    decide = rules.decide

    def stumbling(row: Any, snapshot: Any, observed: Any, **how: Any) -> rules.Decision:
        if snapshot is not None and snapshot.record_id == RECORD_ID + 17:
            raise OverflowError("nobody thought of it: +79990000001")
        return decide(row, snapshot, observed, **how)

    monkeypatch.setattr(rules, "decide", stumbling)
    async with salon(pool) as server:
        await assert_only_one_is_quarantined(server, await bad_neighbour(server), "OverflowError")
        (kept,) = await server.rows("select reason from deliveries where outcome = 'quarantined'")
        assert "+7999" not in kept["reason"]


async def test_one_record_of_a_page_that_is_refused_is_kept_once_and_spoils_no_other(pool: Pool) -> None:
    await refuse_one(pool, "raise exception 'no'")
    page = [item for n in range(50) if (item := page_item(WHOLE, id=RECORD_ID + n))]
    async with salon(pool) as server:
        for _ in range(2):
            outcomes = await server.applier.apply(page)
            assert [n for n, one in enumerate(outcomes) if one.status is OutcomeStatus.QUARANTINED] == [17]

        assert len(await server.bookings()) == 49
        (kept,) = await server.deliveries()
        assert (kept["company_id"], kept["resource_id"], kept["outcome"]) == (
            COMPANY_ID,
            RECORD_ID + 17,
            "quarantined",
        )


async def test_an_api_record_without_a_date_is_kept(pool: Pool) -> None:
    async with salon(pool) as server:
        page = page_item(WHOLE, date=None, datetime=None)
        assert page is not None
        (outcome,) = await server.applier.apply([page])

        assert outcome.status is OutcomeStatus.QUARANTINED
        (kept,) = await server.deliveries()
        assert kept["reason"] == "no readable date"


async def test_a_booking_that_somebody_holds_is_put_off_and_its_neighbours_are_written(pool: Pool) -> None:
    async with salon(pool) as server:
        await server.status(event(WHOLE))
        async with pool.connection() as conn, conn.transaction():
            await conn.execute("select from bookings for update")
            answers = await asyncio.gather(
                *(server.post(event(State(6, comment="новое"), id=RECORD_ID + n)) for n in range(8))
            )

        assert [one.json()["status"] for one in answers] == ["queued"] + ["applied"] * 7
        (wish,) = await server.rows("select * from refetches")
        assert (wish["record_id"], wish["unsigned"]) == (RECORD_ID, False)
        (kept,) = await server.rows("select * from deliveries where outcome = 'queued'")
        assert (kept["resource_id"], kept["reason"]) == (RECORD_ID, HELD)
        assert (await server.bookings())[0]["comment"] == "позвонить"


async def test_a_user_whom_somebody_holds_stops_only_the_bookings_that_earn_for_them(pool: Pool) -> None:
    async with salon(pool, policy=BONUSES) as server:
        async with pool.connection() as conn:
            user_id = await add_user(conn, unique_code="ANNA2345")
        earning = event(State(5, attendance=1, comment="Код клиента: ANNA2345"))
        async with pool.connection() as conn, conn.transaction():
            await conn.execute("select from users where id = %s for update", [user_id])
            answers = await asyncio.gather(
                server.post(earning), *(server.post(event(WHOLE, id=RECORD_ID + n)) for n in range(1, 8))
            )

        assert [one.json()["status"] for one in answers] == ["queued"] + ["applied"] * 7


async def test_a_card_that_somebody_holds_stops_only_the_booking_that_changes_it(pool: Pool) -> None:
    async with salon(pool) as server:
        client = {"id": 900, "name": "Мария", "phone": "+79161234567", "email": ""}
        await server.status(event(WHOLE, client=client))
        changing = event(State(6), client=client | {"phone": "+79990000001"})
        async with pool.connection() as conn, conn.transaction():
            await conn.execute("select from clients for update")
            answers = await asyncio.gather(
                server.post(changing), *(server.post(event(WHOLE, id=RECORD_ID + n)) for n in range(1, 8))
            )

        assert [one.json()["status"] for one in answers] == ["queued"] + ["applied"] * 7
        (wish,) = await server.rows("select record_id from refetches")
        assert wish["record_id"] == RECORD_ID


async def test_what_an_event_tells_of_a_card_that_somebody_holds_is_kept_and_asked_for(pool: Pool) -> None:
    """Its visits may all lie outside the window: then no sync would bring the new phone."""
    async with salon(pool) as server:
        client = {"id": 900, "name": "Мария", "phone": "+79161234567", "email": ""}
        await server.status(event(WHOLE, client=client))
        # Newer, and deleted: asked for, it would answer 404 and tell nothing of the card.
        await server.status(event(WHOLE, id=RECORD_ID + 1, client=client, deleted=True))
        assert [one["cancel_reason"] for one in await server.bookings()] == [None, "deleted"]
        told = {
            "company_id": COMPANY_ID,
            "resource": "client",
            "resource_id": 900,
            "status": "update",
            "data": client | {"phone": "+79990000001"},
        }
        async with pool.connection() as conn, conn.transaction():
            await conn.execute("select from clients for update")
            answer = await server.post(told)

        assert answer.json()["status"] == "queued"
        (wish,) = await server.rows("select record_id from refetches")
        assert wish["record_id"] == RECORD_ID
        (kept,) = await server.rows("select * from deliveries where outcome = 'queued'")
        assert b"79990000001" in bytes(kept["body"])


async def test_a_user_who_can_not_be_matched_again_holds_up_no_other(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before: the periodic task ended there, and began with the same user ten seconds later."""
    async with salon(pool) as server:
        await server.status(event(State(5, comment="Код клиента: ANNA2345")))
        async with pool.connection() as conn:
            bad = await add_user(conn, unique_code="BADD2345", rematch_wanted_at=WANTED)
            anna = await add_user(conn, unique_code="ANNA2345", rematch_wanted_at=WANTED)
        found = rematching.users_for_matching

        async def stumbling(conn: Any, *, ids: tuple[int, ...]) -> Any:
            if bad in ids:
                raise RuntimeError("nobody thought of it")
            return await found(conn, ids=ids)

        monkeypatch.setattr(rematching, "users_for_matching", stumbling)
        await server.applier.rematcher.rematch_waiting_users()

        (booking,) = await server.bookings()
        assert booking["user_id"] == anna
        waiting = await server.rows("select id from users where rematch_wanted_at is not null")
        assert [one["id"] for one in waiting] == [bad]
