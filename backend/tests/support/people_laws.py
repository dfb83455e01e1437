"""The laws that hold for people, bookings and points after every act, stated without the code's own rules."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from fractions import Fraction
from math import floor
from types import SimpleNamespace
from typing import Any

from tests.support.small_world import API, EMAILS, PHONES, World
from zerkalo.bookings.calendar.rules import uid_of

VISIT_ON = date(2026, 12, 10)
"""The day of every visit on the salon's calendar, at whatever hour; near midnight it is another one in UTC."""


async def hold(world: World) -> None:
    """Every law that can be read off the tables."""
    users = {row["id"]: row for row in await world.rows("select * from users")}
    bookings = await world.bookings()
    _contacts_were_proved(world, users)
    for booking in bookings:
        _link_is_believed(world, users, booking)
        _erased_is_nameless(booking)
    await _inbox_forgot_the_erased(world)
    await _codes_are_given_once(world, users)
    await _form_links_are_the_forms(world, bookings)
    await _ledger_is_what_is_earned(world, bookings)


def _contacts_were_proved(world: World, users: Mapping[int, dict[str, Any]]) -> None:
    for user_id, user in users.items():
        if user["email_verified_at"]:
            assert ("email", user["email"].lower()) in world.proved[user_id]
        if user["phone_verified_at"]:
            assert ("phone", user["phone10"]) in world.proved[user_id]
        if user["erased_at"]:
            assert not any(user[name] for name in ("email", "phone", "name", "unique_code", "password_hash"))
    holders = [user["email"].lower() for user in users.values() if user["email_verified_at"]]
    assert len(holders) == len(set(holders)), "an e-mail is proved by two"


def _link_is_believed(world: World, users: Mapping[int, dict[str, Any]], booking: dict[str, Any]) -> None:
    user_id, step = booking["user_id"], booking["matched_by"]
    if booking["erased_at"]:
        assert user_id is None
        world.by_hand.pop(booking["id"], None)
        return
    if booking["id"] in world.by_hand:
        assert (step, user_id) == ("manual", world.by_hand[booking["id"]]), "what an admin said stands"
        return
    assert step != "manual"
    assert (step is None) == (user_id is None)
    if user_id is None:
        return
    assert users[user_id]["erased_at"] is None, "a shell has a booking"
    code = users[user_id]["unique_code"]
    if code:
        assert booking["notes"].split("\n")[1] == f"Код клиента: {code}"
    if world.given_back.get(booking["id"]) == user_id:
        return
    # Whoever held a visit keeps it: the contact may be gone from the record, but it was shown of this very client.
    clients = world.clients[booking["yclients_record_id"]]
    if step == "email":
        assert any(("email", email) in world.proved[user_id] for email, _ in clients)
    if step == "phone":
        assert any(("phone", phone10) in world.proved[user_id] for _, phone10 in clients)
    if step in {"code", "form"}:
        assert not booking["handed_over"], "of a record that was handed over neither counts"
    if step == "code":
        assert world.codes[user_id] & set(booking["match_codes"])


def _erased_is_nameless(booking: dict[str, Any]) -> None:
    if not booking["erased_at"]:
        return
    kept = {booking[name] for name in ("phone", "match_email", "match_phone10", "raw_record", "matched_by")}
    assert kept == {None}
    assert (booking["comment"], booking["match_codes"]) == ("", [])
    assert booking["notes"] == f"YClients. ID: {booking['yclients_record_id']}"


async def _inbox_forgot_the_erased(world: World) -> None:
    """Of an erased visit the inbox keeps envelopes, whatever was told of it since."""
    told = await world.rows(
        "select convert_from(d.body, 'UTF8') as body from deliveries d join bookings b"
        " on b.company_id = d.company_id and b.yclients_record_id = d.resource_id"
        " where d.resource = 'record' and b.erased_at is not null"
    )
    codes = {code for codes in world.codes.values() for code in codes}
    for row in told:
        for secret in (*EMAILS, *(phone[-10:] for phone in PHONES), *codes):
            assert secret not in row["body"], "the inbox remembers somebody who was erased"


async def _codes_are_given_once(world: World, users: Mapping[int, dict[str, Any]]) -> None:
    """A code is one user's for ever; an erased person's is nobody's again."""
    retired = {row["code"]: row["user_id"] for row in await world.rows("select * from retired_codes")}
    given = [user["unique_code"] for user in users.values() if user["unique_code"]]
    assert len(given) == len(set(given))
    assert not retired.keys() & set(given), "a code was given again"
    for user_id, codes in world.codes.items():
        if users[user_id]["erased_at"]:
            assert {retired[code] for code in codes} <= {None}, "an erased person's code names somebody"


async def _form_links_are_the_forms(world: World, bookings: list[dict[str, Any]]) -> None:
    form = {row["record_id"]: row["user_id"] for row in await world.rows("select * from form_bookings")}
    for booking in bookings:
        if booking["matched_by"] == "form" and world.given_back.get(booking["id"]) != booking["user_id"]:
            assert form.get(booking["yclients_record_id"]) == booking["user_id"]


async def _ledger_is_what_is_earned(world: World, bookings: list[dict[str, Any]]) -> None:
    entries = await world.rows("select * from bonus_entries order by id")
    policy = world.parts.policy
    sums: dict[int, dict[int, int]] = defaultdict(lambda: defaultdict(int))
    percents: dict[int, set[Any]] = defaultdict(set)
    for entry in entries:
        if entry["booking_id"] is not None and entry["kind"] != "expiry":
            sums[entry["booking_id"]][entry["user_id"]] += entry["amount"]
            if entry["kind"] == "accrual":
                percents[entry["booking_id"]].add(entry["percent"])
    started = policy.start_date is None or policy.start_date <= VISIT_ON
    for booking in bookings:
        has = {user_id: points for user_id, points in sums.pop(booking["id"], {}).items() if points}
        used = percents[booking["id"]]
        assert len(used) <= 1, "one percent for ever"
        percent = used.pop() if used else policy.percent
        assert percent in {policy.percent, *(tier.percent for tier in policy.tiers)}
        earns = booking["status"] == "COMPLETED" and booking["user_id"] is not None and started
        points = floor(Fraction(booking["service_price"], 100) * Fraction(percent) / 100) if earns else 0
        assert has == ({booking["user_id"]: points} if points else {})
    assert not any(points for own in sums.values() for points in own.values()), "points of no booking"
    await _nothing_expires_twice(world, entries)


async def _nothing_expires_twice(world: World, entries: list[dict[str, Any]]) -> None:
    """Of what an account was given, at most that much expires; moved by a merge, it is the other account's.

    What an admin takes by hand is spent, like what is redeemed: it may come after the points that it is taken from expired.
    """
    moved = {entry["undoes"] for entry in entries if entry["undoes"]}
    came: dict[int, int] = defaultdict(int)
    expired: dict[int, int] = defaultdict(int)
    for entry in entries:
        if entry["id"] in moved or entry["undoes"]:
            continue
        is_spent = entry["booking_id"] is None and entry["amount"] < 0
        if entry["kind"] == "expiry":
            expired[entry["user_id"]] -= entry["amount"]
        elif not is_spent:
            came[entry["user_id"]] += entry["amount"]
    for user_id, points in expired.items():
        assert 0 <= points <= max(came[user_id], 0)


async def hold_after_tending(world: World) -> None:
    """What must hold once the worker has been through: nobody who alone fits is passed over; shells have nothing."""
    assert (
        await world.rows(
            "select b.id from bookings b join users u on u.id = b.user_id where u.erased_at is not null"
        )
        == []
    )
    assert await world.rows("select id from users where rematch_wanted_at is not null") == []
    users = await world.users()
    for booking in await world.bookings():
        if booking["user_id"] is not None or booking["erased_at"] or booking["matched_by"]:
            continue
        codes = set[str]() if booking["handed_over"] else set(booking["match_codes"])
        named = {one["id"] for one in users if world.codes[one["id"]] & codes}
        by_email = {
            one["id"]
            for one in users
            if one["email_verified_at"] and one["email"].lower() == booking["match_email"]
        }
        by_phone = {
            one["id"]
            for one in users
            if one["phone_verified_at"] and one["phone10"] == booking["match_phone10"]
        }
        ever = {
            user_id
            for user_id, proved in world.proved.items()
            if proved & {("email", booking["match_email"]), ("phone", booking["match_phone10"])}
        }
        fits = named or by_email or by_phone
        # Who had proved it once, or whose code was retired with her, may have made it a question for an admin.
        if len(fits) == 1 and len(fits | ever) == 1 and len(codes) <= len(named):
            raise AssertionError(f"booking {booking['id']} is {fits}'s, and nobody has it")


async def readers_see_their_own(world: World) -> None:
    """Whatever a user asks of the API, she is shown what is linked to her, all of it, and nobody else's anything."""
    users, bookings = await world.users(), await world.bookings()
    for user in users:
        hers = {booking["id"]: booking for booking in bookings if booking["user_id"] == user["id"]}
        async with world.client(user["id"]) as client:
            assert await _listed(client, {}) == set(hers)
            upcoming = await _listed(client, {"upcoming_only": "true"})
            assert upcoming <= set(hers)
            for booking in bookings:
                status = (await client.get(f"{API}/booking/{booking['id']}")).status_code
                assert status == (200 if booking["id"] in hers else 404)
            await _calendar_is_hers(client, hers)
            await _points_are_hers(world, client, user["id"])
            export = await client.get(f"{API}/auth/me/export")
        _export_is_hers(export.json(), export.text, user, users, hers)


async def _listed(client: Any, params: dict[str, str]) -> set[int]:
    ids: list[int] = []
    cursor: dict[str, str] = {}
    while True:
        answer = await client.get(f"{API}/booking", params={"limit": "2", **params, **cursor})
        assert answer.status_code == 200, answer.text
        ids += [item["id"] for item in answer.json()["items"]]
        if answer.json()["next_cursor"] is None:
            assert len(ids) == len(set(ids))
            return set(ids)
        cursor = {"cursor": answer.json()["next_cursor"]}


async def _calendar_is_hers(client: Any, hers: Mapping[int, dict[str, Any]]) -> None:
    address = (await client.post(f"{API}/booking/calendar")).json()["url"]
    feed = (await client.get(address.removeprefix("https://salon.test"))).text.replace("\r\n ", "")
    shown = {line.removeprefix("UID:") for line in feed.splitlines() if line.startswith("UID:")}
    assert shown <= {
        uid_of(SimpleNamespace(id=one["id"], created_at=one["created_at"]))  # pyright: ignore[reportArgumentType]  # all it looks at
        for one in hers.values()
    }


async def _points_are_hers(world: World, client: Any, user_id: int) -> None:
    own = await world.rows("select id, amount from bonus_entries where user_id = %s", user_id)
    page = (await client.get(f"{API}/loyalty", params={"limit": "200"})).json()
    assert {one["id"] for one in page["entries"]} == {one["id"] for one in own}
    total = sum(one["amount"] for one in own)
    assert page["balance"] == total == (await client.get(f"{API}/auth/me")).json()["balance"]


def _export_is_hers(
    told: dict[str, Any],
    text: str,
    user: dict[str, Any],
    users: list[dict[str, Any]],
    hers: Mapping[int, dict[str, Any]],
) -> None:
    assert {one["id"] for one in told["bookings"]} == set(hers)
    # What her bookings say today is hers to read, whoever else it names.
    of_today = "".join(
        f"{one['raw_record']}{one['notes']}{one['phone']}{one['match_phone10']}{one['match_email']}"
        for one in hers.values()
    )
    said_herself = (
        f"{user['email']} {user['phone']} {text_of(told, 'codes_sent')} {text_of(told, 'messages')}"
    )
    strangers = {one["unique_code"] for one in users if one["id"] != user["id"]} - {None}
    for secret in (*EMAILS, *(phone[-10:] for phone in PHONES), *strangers):
        if secret not in of_today and secret not in said_herself:
            assert secret not in text, f"her export names {secret}"


def text_of(told: dict[str, Any], part: str) -> str:
    return str(told[part])
