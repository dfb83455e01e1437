"""Whose booking by the client's card (contract, section 5): strangers, numbers that change hands, cards given, merged and left."""

import json
from typing import Any

import pytest

from tests.support.rows import add_user
from tests.support.salon import BONUSES, NOW, Salon, salon
from tests.support.vendor import COMPANY_ID, State, event, page_item
from zerkalo.db.pool import Pool
from zerkalo.inbox.model import Delivery
from zerkalo.mirror.model import Item
from zerkalo.mirror.service import CARD_BOOKINGS_AT_ONCE
from zerkalo.webhook.rules import read_delivery

pytestmark = pytest.mark.integration

PROVED = "2026-01-01T00:00:00Z"
MARIA, GUEST = "+79161234567", "+79990000002"
CARD, OTHER_CARD, MERGED_CARD = 900, 901, 902


async def user(server: Salon, **columns: object) -> int:
    async with server.pool.connection() as conn:
        return await add_user(conn, **columns)


def client(
    card: int | None = CARD, phone: str = MARIA, email: str = "", name: str = "Мария"
) -> dict[str, Any]:
    return ({"id": card} if card else {}) | {"name": name, "phone": phone, "email": email}


async def visit(
    server: Salon, record_id: int, second: int = 5, *, of: Any = None, **state: Any
) -> tuple[int | None, str | None]:
    """Call the webhook with a visit of the card and return its link."""
    shown = of if of is not None else client()
    await server.post(event(State(second, **state), id=record_id, client=shown))
    return await link(server, record_id)


async def link(server: Salon, record_id: int) -> tuple[int | None, str | None]:
    (row,) = await server.rows(
        "select user_id, matched_by from bookings where yclients_record_id = %s", record_id
    )
    return row["user_id"], row["matched_by"]


async def candidates(server: Salon, record_id: int) -> set[tuple[int, str, str]]:
    sql = """
        select c.user_id, c.step, c.reason from match_candidates c join bookings b on b.id = c.booking_id
        where b.yclients_record_id = %s
    """
    return {(row["user_id"], row["step"], row["reason"]) for row in await server.rows(sql, record_id)}


async def card(server: Salon, client_id: int = CARD) -> dict[str, Any]:
    (row,) = await server.rows("select * from clients where client_id = %s", client_id)
    return row


async def balance(server: Salon, user_id: int) -> int:
    (row,) = await server.rows(
        "select coalesce(sum(amount), 0)::int as points from bonus_entries where user_id = %s", user_id
    )
    return row["points"]


async def test_a_guest_who_books_with_a_strangers_phone_takes_nothing(pool: Pool) -> None:
    """Issue 10, A1: YCLIENTS writes the guest's e-mail on the card of whose phone it is."""
    async with salon(pool, policy=BONUSES) as server:
        maria = await user(server, phone=MARIA, phone_verified_at=PROVED)
        guest = await user(server, email="guest@salon.test", email_verified_at=PROVED)
        assert await visit(server, 1, attendance=1) == (maria, "phone")

        theirs = await visit(server, 2, 6, of=client(email="guest@salon.test"))
        await server.applier.rematcher.rematch(guest)
        await visit(server, 1, 8, of=client(email="guest@salon.test"), attendance=1)

        assert theirs == (None, None)
        assert await candidates(server, 2) == {(maria, "phone", "rivals"), (guest, "email", "rivals")}
        assert await link(server, 1) == (maria, "phone")
        assert (await balance(server, maria), await balance(server, guest)) == (90, 0)


async def test_a_guest_gets_no_visit_of_a_known_card_whose_person_has_no_account(pool: Pool) -> None:
    """Issue 10, A1: once the mirror knows the card, the guest sees what the guest booked through our form, no more."""
    async with salon(pool) as server:
        guest = await user(server, email="guest@salon.test", email_verified_at=PROVED)
        await visit(server, 1)
        async with server.pool.connection() as conn:
            await conn.execute(
                "insert into form_bookings (api_id, user_id, company_id, record_id, status, created_at)"
                " values ('a', %s, %s, 2, 'booked', now())",
                [guest, COMPANY_ID],
            )
        theirs = await visit(server, 2, 6, of=client(email="guest@salon.test"))
        later = await visit(server, 3, 7, of=client(email="guest@salon.test"))
        await server.applier.rematcher.rematch(guest)

        assert theirs == (guest, "form")
        assert later == await link(server, 1) == await link(server, 3) == (None, None)
        assert await candidates(server, 1) == await candidates(server, 3) == {(guest, "email", "late_email")}
        assert (await card(server))["email_came_late"] is True


async def test_an_email_that_stood_on_the_card_first_links(pool: Pool) -> None:
    async with salon(pool) as server:
        maria = await user(server, email="maria@salon.test", email_verified_at=PROVED)

        assert await visit(server, 1, of=client(email="maria@salon.test")) == (maria, "email")
        assert (await card(server))["email_came_late"] is False


async def test_a_number_that_changes_hands_takes_no_past_along(pool: Pool) -> None:
    """Issue 10, A2: who gave the number up keeps the visits and points; who proves it later gets what is unlinked."""
    async with salon(pool, policy=BONUSES) as server:
        first = await user(server, phone=MARIA, phone_verified_at=PROVED)
        assert await visit(server, 1, attendance=1) == (first, "phone")
        async with server.pool.connection() as conn:
            await conn.execute("update users set phone_verified_at = null where id = %s", [first])
        assert await visit(server, 2, 6) == (None, None)

        second = await user(server, phone=MARIA, phone_verified_at=PROVED)
        await server.applier.rematcher.rematch(second)
        await visit(server, 1, 7, attendance=1, comment="перезвонить")

        assert await link(server, 1) == (first, "phone")
        assert await link(server, 2) == (second, "phone")
        assert (await balance(server, first), await balance(server, second)) == (90, 0)


async def test_who_gets_a_number_takes_no_past_along_by_booking_online_with_it(pool: Pool) -> None:
    """YCLIENTS writes the e-mail of the number's new owner on the card of the one before."""
    async with salon(pool, policy=BONUSES) as server:
        first = await user(server, phone=MARIA, phone_verified_at=PROVED)
        assert await visit(server, 1, attendance=1) == (first, "phone")
        async with server.pool.connection() as conn:
            await conn.execute("update users set phone_verified_at = null where id = %s", [first])
        second = await user(
            server,
            phone=MARIA,
            phone_verified_at=PROVED,
            email="second@salon.test",
            email_verified_at=PROVED,
        )

        theirs = await visit(server, 2, 6, of=client(email="second@salon.test"))
        await server.applier.rematcher.rematch(second)

        assert theirs == (second, "email")
        assert await link(server, 1) == (first, "phone")
        assert (await balance(server, first), await balance(server, second)) == (90, 0)


async def test_phones_of_two_countries_that_end_alike_have_nothing_in_common(pool: Pool) -> None:
    """Issue 10, A3."""
    async with salon(pool) as server:
        indian = await user(server, phone="+919161234567", phone_verified_at=PROVED)
        await visit(server, 1)
        await visit(server, 2, of=client(None))
        await server.applier.rematcher.rematch(indian)
        assert await link(server, 1) == await link(server, 2) == (None, None)

        maria = await user(server, phone=MARIA, phone_verified_at=PROVED)
        await server.applier.rematcher.rematch(maria)
        assert await link(server, 1) == await link(server, 2) == (maria, "phone")
        assert await visit(server, 3, of=client(OTHER_CARD, phone="9161234567")) == (maria, "phone")


@pytest.mark.parametrize("comment", ["", "Код клиента: ABC12345"])
async def test_a_record_that_is_given_to_another_card_leaves_the_first_ones_sight(
    pool: Pool, comment: str
) -> None:
    """Issue 10, A4: links of every kind but an admin's end; codes never count again; the new card's contacts do."""
    async with salon(pool, policy=BONUSES) as server:
        maria = await user(server, phone=MARIA, phone_verified_at=PROVED, unique_code="ABC12345")
        vera = await user(server, phone=GUEST, phone_verified_at=PROVED)
        step = "code" if comment else "phone"
        assert await visit(server, 1, attendance=1, comment=comment) == (maria, step)

        to_vera = await visit(server, 1, 6, of=client(OTHER_CARD, GUEST), attendance=1, comment=comment)

        assert to_vera == (vera, "phone")
        assert await candidates(server, 1) == {(maria, step, "handed_over")}
        assert (await balance(server, maria), await balance(server, vera)) == (0, 90)
        stale = await server.status(event(State(4, comment="Код клиента: ABC12345"), id=1, client=client()))
        assert stale == "stale"
        assert await link(server, 1) == (vera, "phone")


async def test_a_record_that_is_given_to_somebody_unknown_is_nobodys_for_good(pool: Pool) -> None:
    async with salon(pool) as server:
        maria = await user(server, unique_code="ABC12345")
        await visit(server, 1, comment="Код клиента: ABC12345")
        await visit(server, 1, 6, of=client(OTHER_CARD, GUEST), comment="Код клиента: ABC12345")
        await server.applier.rematcher.rematch(maria)
        await visit(server, 1, 7, of=client(OTHER_CARD, GUEST), comment="Код клиента: ABC12345!")

        assert await link(server, 1) == (None, None)
        assert await candidates(server, 1) == {(maria, "code", "handed_over")}


async def test_two_cards_merged_in_yclients_lose_nobody_anything(pool: Pool) -> None:
    """Issue 10, A4: the other card has the same phone. What an admin gave goes along, and so does what was seen."""
    async with salon(pool) as server:
        maria = await user(server)
        guest = await user(server, email="guest@salon.test", email_verified_at=PROVED)
        await visit(server, 1)
        async with server.pool.connection() as conn:
            await conn.execute("update clients set user_id = %s where client_id = %s", [maria, CARD])
        await server.applier.rematcher.rematch_card((COMPANY_ID, CARD))
        assert await link(server, 1) == (maria, "card")
        await visit(server, 2, of=client(email="guest@salon.test"))

        merged = client(MERGED_CARD, "8 916 123-45-67", "guest@salon.test")
        moved = await visit(server, 1, 6, of=merged)
        new = await visit(server, 3, 6, of=merged)

        assert moved == new == (maria, "card")
        assert (await card(server, MERGED_CARD))["email_came_late"] is True
        assert guest not in {(await link(server, number))[0] for number in (1, 2, 3)}


@pytest.mark.parametrize("nothing", [None, [], {}, "absent"])
async def test_a_record_that_tells_no_client_keeps_its_card_and_link(pool: Pool, nothing: Any) -> None:
    async with salon(pool) as server:
        maria = await user(server, phone=MARIA, phone_verified_at=PROVED)
        await visit(server, 1)
        if nothing == "absent":
            await server.post(event(State(6), id=1, without=frozenset({"client"})))
        else:
            await server.post(event(State(6), id=1, client=nothing))

        (row,) = await server.rows("select * from bookings")
        assert (row["client_id"], row["user_id"], row["handed_over"]) == (CARD, maria, False)


async def test_contacts_that_come_to_a_card_bring_its_earlier_visits(pool: Pool) -> None:
    async with salon(pool) as server:
        maria = await user(server, phone=MARIA, phone_verified_at=PROVED)
        assert await visit(server, 1, of=client(phone="")) == (None, None)

        assert await visit(server, 2, 6) == (maria, "phone")
        assert await link(server, 1) == (maria, "phone")
        assert (await card(server))["phone"] == MARIA


async def test_a_call_that_changes_a_card_waits_for_a_bounded_number_of_its_visits(pool: Pool) -> None:
    async with salon(pool) as server:
        maria = await user(server, phone=MARIA, phone_verified_at=PROVED)
        await visit(server, 1, of=client(phone=""))
        many = 2 * CARD_BOOKINGS_AT_ONCE
        async with server.pool.connection() as conn:
            await conn.execute(
                "insert into bookings (company_id, yclients_record_id, client_id, appointment_datetime)"
                " select company_id, n, client_id, appointment_datetime from bookings, generate_series(2, %s) as n",
                [many],
            )
        linked = "select count(*) as n from bookings where user_id = %s"

        await server.post(event(State(6), id=many + 1, client=client()))
        (at_once,) = await server.rows(linked, maria)
        await server.applier.rematcher.rematch_waiting_cards()

        assert at_once["n"] == CARD_BOOKINGS_AT_ONCE + 1, "and the visit that the call is about"
        assert await server.rows(linked, maria) == [{"n": many + 1}]


async def test_a_read_that_finds_the_booking_as_it_is_still_teaches_its_card(pool: Pool) -> None:
    async with salon(pool) as server:
        await visit(server, 4711)
        shown = page_item(State(5), client=client(email="maria@salon.test"))
        assert shown is not None

        first = await server.applier.apply([shown])
        again = await server.applier.apply([shown])

        assert [one.status for one in (*first, *again)] == ["unchanged", "unchanged"]
        assert (await card(server))["email"] == "maria@salon.test"


async def test_a_card_whose_contacts_did_not_change_is_not_written(pool: Pool) -> None:
    async with salon(pool) as server:
        await visit(server, 1)
        before = await card(server)
        await visit(server, 2, 6)

        assert await card(server) == before


def client_event(
    email: str, *, status: str = "update", company_id: int = COMPANY_ID, **shown: Any
) -> dict[str, Any]:
    data = client(email=email) | shown
    return {
        "company_id": company_id,
        "resource": "client",
        "resource_id": CARD,
        "status": status,
        "data": data,
    }


async def test_a_signed_event_of_a_client_teaches_the_card_and_its_visits_follow(pool: Pool) -> None:
    async with salon(pool) as server:
        maria = await user(server, email="maria@salon.test", email_verified_at=PROVED)
        await visit(server, 1, of=client(phone=""))

        assert await server.status(client_event("maria@salon.test", phone="")) == "ignored"

        assert await link(server, 1) == (maria, "email")
        assert [
            row["body"] for row in await server.rows("select body from deliveries where resource = 'client'")
        ] != []


@pytest.mark.parametrize(
    "body", [client_event("x@salon.test", status="delete"), client_event("", phone=["odd"])]
)
async def test_an_event_of_a_client_that_shows_no_card_teaches_nothing(
    pool: Pool, body: dict[str, Any]
) -> None:
    async with salon(pool) as server:
        await visit(server, 1)
        before = await card(server)

        assert await server.status(body) == "ignored"

        assert await card(server) == before


@pytest.mark.parametrize("is_event_first", [True, False])
async def test_of_a_visit_and_an_event_in_one_batch_the_later_one_shows_the_card(
    pool: Pool, is_event_first: bool
) -> None:
    """Before: the event always won, also where the visit came after it."""
    async with salon(pool) as server:
        await visit(server, 1)
        told = [client_event("", phone="+79990000008"), event(State(6), id=2, client=client(phone=GUEST))]
        calls = told if is_event_first else told[::-1]
        items = [read_delivery(Delivery(json.dumps(body).encode(), NOW), [COMPANY_ID]) for body in calls]

        await server.applier.apply_items([one for one in items if isinstance(one, Item)])

        assert (await card(server))["phone"] == (GUEST if is_event_first else "+79990000008")


async def test_a_call_is_answered_while_somebody_holds_another_visit_of_its_card(pool: Pool) -> None:
    async with salon(pool) as server:
        maria = await user(server, phone=GUEST, phone_verified_at=PROVED)
        await visit(server, 1)
        await visit(server, 2)
        async with pool.connection() as holder, holder.transaction():
            await holder.execute("select from bookings where yclients_record_id = 1 for update")
            answer = await server.post(event(State(6), id=2, client=client(phone=GUEST)))
            waiting = await card(server)

        await server.applier.rematcher.rematch_waiting_cards()

        assert answer.json()["status"] == "applied"
        assert waiting["rematch_wanted_at"] is not None
        assert await link(server, 1) == (maria, "phone"), "the card's visits follow when the lock is gone"
        assert (await card(server))["rematch_wanted_at"] is None


async def test_one_held_visit_keeps_no_other_card_waiting(pool: Pool) -> None:
    async with salon(pool) as server:
        for number in (1, 2):
            await visit(server, number, of=client(card=900 + number))
        maria = await user(server, phone=MARIA, phone_verified_at=PROVED)
        async with pool.connection() as conn:
            await conn.execute("update clients set rematch_wanted_at = '2026-01-01'::date + client_id::int")
        async with pool.connection() as holder, holder.transaction():
            await holder.execute("select from bookings where yclients_record_id = 1 for update")
            await server.applier.rematcher.rematch_waiting_cards()

        assert await link(server, 1) == (None, None)
        assert await link(server, 2) == (maria, "phone")


async def test_hidden_contacts_hand_on_nothing_that_an_admin_gave(pool: Pool) -> None:
    async with salon(pool) as server:
        maria = await user(server, unique_code="ABC12345")
        await visit(server, 1)
        async with pool.connection() as conn:
            await conn.execute("update clients set user_id = %s where client_id = %s", [maria, CARD])
        await visit(server, 1, 6, of=client(card=OTHER_CARD, phone=""))

        assert (await card(server, OTHER_CARD))["user_id"] is None
        assert await link(server, 1) == (None, None), "a link by a card ends where the card is another's"
