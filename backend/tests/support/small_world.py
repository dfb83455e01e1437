"""A small world of people and bookings on the production's wiring: every act goes in by the door it has in life.

Accounts, admins and readers speak HTTP to the whole application; records come by the webhook or through the applier, as
a sync's page and an unsigned call do. Only the clock is turned by hand, and passwords are hashed in no time. What
anybody honestly proved is remembered here, beside the database and apart from it.
"""

import json
import re
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI
from psycopg.rows import dict_row

from tests.support.application import SECRET, settings_of
from tests.support.rows import add_user
from tests.support.vendor import COMPANY_ID, State, event, page_item
from zerkalo.composition import Parts, assembled
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty import service as loyalty
from zerkalo.main import Runtime
from zerkalo.users.erasing.service import sweep_erased
from zerkalo.users.importing.rules import ImportedPerson
from zerkalo.users.importing.service import import_people
from zerkalo.users.merging.service import UNDO_SPAN, undo_merge
from zerkalo.users.store import finish_rematches, users_to_rematch
from zerkalo.web.api import create_app
from zerkalo.webhook.committer import Committer

EMAILS = ("anna@mail.test", "boris@mail.test", "vera@mail.test")
PHONES = ("+79991110001", "+79991110002", "+79991110003")
RECORDS = (101, 102, 103, 104)
BEGINNING = datetime(2026, 12, 20, 9, 0, tzinfo=UTC)
PASSWORD = "correct horse battery"
API = "/api/v1"


Contacts = tuple[str | None, str | None]
"""(lower e-mail, last ten digits of the phone)."""


class QuickPasswords:
    """Hashes in no time: what Argon2 costs is not what these tests are about."""

    async def hash(self, password: str, *, address: str) -> str:
        return f"hash of {password}"

    async def verify(self, password: str, password_hash: str | None, *, address: str) -> bool:
        return password_hash == f"hash of {password}"


class TurnedClock:
    """Goes on only when told to."""

    def __init__(self) -> None:
        self.now = BEGINNING

    def __call__(self) -> datetime:
        return self.now


@dataclass
class World:
    """The application and what really happened. `proved` and `codes`: of a user and of accounts merged into hers."""

    app: FastAPI
    parts: Parts
    clock: TurnedClock
    admin_id: int
    proved: dict[int, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    """User -> (channel, key: lower e-mail or last ten digits) that she, an admin or an import honestly proved."""
    codes: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))
    imported: set[int] = field(default_factory=set)
    by_hand: dict[int, int | None] = field(default_factory=dict)
    """Booking -> whose an admin said that it is."""
    merged: set[int] = field(default_factory=set)
    """Accounts that we know to have ended in another one."""
    ended: dict[int, tuple[set[tuple[str, str]], set[str]]] = field(default_factory=dict)
    """What an account that ended had proved, and its codes: its own again where the two are parted."""
    given_back: dict[int, int] = field(default_factory=dict)
    """Booking -> to whom it went back when two accounts were parted, whatever had linked it to the other one meanwhile."""
    is_in_order: bool = True
    """Things happen one after the other; False: what was shown first of two things at one moment is not known."""
    clients: dict[int, list[Contacts]] = field(default_factory=lambda: defaultdict(list))
    """Record -> the contacts that its client was shown with, since it was handed over last; of each, all that was known."""
    told: list[tuple[int, State]] = field(default_factory=list)
    """Everything that YCLIENTS ever said, to be said again."""
    api_ids: dict[int, str] = field(default_factory=dict)
    keys: dict[str, tuple[dict[str, Any], Any]] = field(default_factory=dict)
    """Idempotency key -> what was asked with it and answered."""
    _numbers: Any = field(default_factory=lambda: count(1))

    # looking

    async def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        async with self.parts.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(sql.encode(), values)
            return await cursor.fetchall() if cursor.description else []

    async def users(self) -> list[dict[str, Any]]:
        """Everybody who is there, but the admin."""
        return await self.rows(
            "select * from users where erased_at is null and id <> %s order by id", self.admin_id
        )

    async def bookings(self) -> list[dict[str, Any]]:
        return await self.rows("select * from bookings order by id")

    @asynccontextmanager
    async def client(self, user_id: int | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        """A caller from an address of her own, signed in as a user or nobody."""
        headers = {}
        if user_id is not None:
            (row,) = await self.rows("select token_epoch from users where id = %s", user_id)
            async with self.parts.pool.connection() as conn, conn.transaction():
                pair = await self.parts.people.auth.new_session(
                    conn, user_id, row["token_epoch"], now=self.clock()
                )
            headers["Authorization"] = f"Bearer {pair.access_token}"
        number = next(self._numbers)
        address = (f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 40_000)
        transport = httpx2.ASGITransport(self.app, client=address)
        async with httpx2.AsyncClient(
            transport=transport, base_url="http://salon.test", headers=headers
        ) as client:
            yield client

    # people

    async def register(self, email: str, phone: str | None, password: str = PASSWORD) -> None:
        """Make an account; said again with an unproved e-mail and its password, it answers with the one there is."""
        before = {user["id"]: user for user in await self.users()}
        async with self.client() as client:
            body = {"email": email, "password": password, "name": f"Имя{next(self._numbers)}"}
            answer = await client.post(
                f"{API}/auth/register", json=body | ({"phone": phone} if phone else {})
            )
        assert answer.status_code == 201, answer.text
        account = answer.json()
        assert account["email_verified"] is False
        if known := before.get(account["id"]):
            opened_by = (known["email"], known["email_verified_at"], known["password_hash"])
            assert opened_by == (email, None, f"hash of {password}"), "an account of somebody else was opened"
            assert account["phone_verified"] is (known["phone_verified_at"] is not None)
        else:
            assert account["phone_verified"] is False
        await self._learn_codes()

    async def import_person(self, email: str | None, phone: str | None, code: str | None) -> None:
        before = {user["id"] for user in await self.users()}
        person = ImportedPerson(2, email, phone, "", code)
        await import_people(self.parts.pool, [person], now=self.clock())
        for user in await self.users():
            if user["id"] not in before:
                self.imported.add(user["id"])
                self.proved[user["id"]] |= {("email", email)} if email else set()
                self.proved[user["id"]] |= {("phone", phone[-10:])} if phone else set()
        await self._learn_codes()

    async def change_contact(self, user_id: int, **contact: str) -> None:
        async with self.with_password(user_id) as client:
            answer = await client.patch(f"{API}/auth/me", json={**contact, "password": PASSWORD})
        assert answer.status_code == 200, answer.text

    @asynccontextmanager
    async def with_password(self, user_id: int) -> AsyncIterator[httpx2.AsyncClient]:
        """A client of the user, who has a password meanwhile: an imported one would confirm by a code."""
        (user,) = await self.rows("select password_hash from users where id = %s", user_id)
        await self.rows(
            "update users set password_hash = %s where id = %s returning id", f"hash of {PASSWORD}", user_id
        )
        async with self.client(user_id) as client:
            yield client
        await self.rows(
            "update users set password_hash = %s where id = %s and erased_at is null returning id",
            user["password_hash"],
            user_id,
        )

    async def prove(self, user_id: int, channel: str, *, honestly: bool) -> None:
        """Ask for a code and type it in as it came, or a wrong one."""
        self.clock.now += timedelta(minutes=1, seconds=1)
        async with self.client(user_id) as client:
            asked = await client.post(f"{API}/auth/verify/request", json={"channel": channel})
            if asked.status_code != 202:
                assert asked.status_code in {409, 429}, asked.text
                return
            (sent,) = await self.rows(
                "select body, recipient from outbox where user_id = %s and channel = %s order by id desc limit 1",
                user_id,
                channel,
            )
            code = re.search(r"\b\d{6}\b", sent["body"])
            assert code is not None
            typed = code[0] if honestly else f"{(int(code[0]) + 1) % 1_000_000:06d}"
            body = {"channel": channel, "code": typed, "resolve": "take"}
            answer = await client.post(f"{API}/auth/verify/confirm", json=body)
        key = sent["recipient"].lower() if channel == "email" else sent["recipient"][-10:]
        if answer.status_code == 200:
            assert honestly, "a wrong code proved something"
            self.proved[user_id].add((channel, key))
        else:
            assert answer.status_code == (409 if honestly else 400), answer.text
        await self.learn_merges(by_admin=None, by_proof=(channel, key))

    async def merge(self, from_id: int, into_id: int) -> None:
        async with self.client(self.admin_id) as client:
            answer = await client.post(f"{API}/admin/users/{from_id}/merge", json={"into": into_id})
        assert answer.status_code == (409 if from_id == into_id else 200), answer.text
        await self.learn_merges(by_admin=from_id)

    async def part(self, which: int) -> None:
        """Undo one of the merges that stand, if that can be done still."""
        merges = await self.rows("select * from merges where undone_at is null order by id")
        if not merges:
            return
        merge = merges[which % len(merges)]
        refused = None
        try:
            await undo_merge(self.parts.people, merge["id"], admin_id=self.admin_id, now=self.clock())
        except ProblemError as problem:
            refused = problem.code
        if refused is not None:
            over = self.clock() - merge["at"] > UNDO_SPAN
            assert refused == ("not_found" if over else "merge_changed")
            return
        old, into = merge["from_id"], merge["into_id"]
        self.merged.discard(old)
        self.proved[old], self.codes[old] = self.ended.pop(old)
        self.codes[into] -= self.codes[old]
        for booking_id in merge["before"]["bookings"]:
            self.given_back[booking_id] = old
            if self.by_hand.get(booking_id) == into:
                self.by_hand[booking_id] = old

    async def erase(self, user_id: int) -> None:
        async with self.with_password(user_id) as client:
            answer = await client.request("DELETE", f"{API}/auth/me", json={"password": PASSWORD})
            assert answer.status_code == 204, answer.text
            assert (await client.get(f"{API}/auth/me")).status_code == 401

    async def _learn_codes(self) -> None:
        for user in await self.users():
            if user["unique_code"]:
                self.codes[user["id"]].add(user["unique_code"])

    async def learn_merges(self, *, by_admin: int | None, by_proof: tuple[str, str] | None = None) -> None:
        """What an account proved is the other's now. One ends so by an admin's word, or because an import made it.

        `by_proof`: the contact that was proved at this moment, where it was one. An imported account is taken over by
        its e-mail, or by its phone if that is all there is of it.
        """
        merged = await self.rows(
            "select id, merged_into from users where merged_into is not null order by id"
        )
        into_of = {row["id"]: row["merged_into"] for row in merged}
        for old in into_of.keys() - self.merged:
            assert old == by_admin or old in self.imported, f"account {old} was taken over"
            if by_proof is not None:
                assert by_proof in self.proved[old], f"account {old} was taken over by what it does not have"
                has_email = any(channel == "email" for channel, _ in self.proved[old])
                assert by_proof[0] == "email" or not has_email, (
                    f"account {old} was taken over by a phone alone"
                )
            self.merged.add(old)
            # Of several merges at one moment any may have come first: what stays is at the end of the chain.
            into = into_of[old]
            while into in into_of:
                into = into_of[into]
            self.ended[old] = self.proved.pop(old, set()), self.codes.pop(old, set())
            self.proved[into] |= self.ended[old][0]
            self.codes[into] |= self.ended[old][1]
            for booking_id, owner in [*self.by_hand.items()]:
                if owner == old:
                    self.by_hand[booking_id] = into
            for booking_id, owner in [*self.given_back.items()]:
                if owner == old:
                    self.given_back[booking_id] = into

    # the salon

    async def tell(self, record_id: int, state: State, how: str) -> None:
        """YCLIENTS shows a record: by webhook, on a page of a list, or somebody does in its name."""
        self.told.append((record_id, state))
        keys = {"id": record_id, "api_id": self.api_ids.get(record_id, "")}
        if how == "webhook":
            async with self.client() as client:
                answer = await client.post(
                    f"{API}/yclients/webhook/{SECRET}", content=json.dumps(event(state, **keys)).encode()
                )
            assert answer.status_code == 200, answer.text
            status = answer.json()["status"]
            assert status != "quarantined", answer.text
            if status in {"applied", "unchanged"} or not self.is_in_order:
                self._learn_client(record_id, state)
        elif how == "page":
            shown = page_item(state, **keys)
            assert shown is not None
            (outcome,) = await self.parts.applier.apply([shown])
            # One that contradicts a newer change time is asked for once more, and counts only then.
            if outcome.status in {"applied", "unchanged"} or not self.is_in_order:
                self._learn_client(record_id, state)
        else:
            async with self.client() as client:
                answer = await client.post(
                    f"{API}/yclients/webhook", content=json.dumps(event(state, **keys)).encode()
                )
            assert answer.status_code == 401, answer.text

    def _learn_client(self, record_id: int, state: State) -> None:
        """What a record shows of its client. Another phone (no phone: another e-mail) is another person's.

        An empty contact teaches nothing, and what shares nothing with what is known is another person's too.
        """
        shown: Contacts = (state.email, state.phone[-10:] if state.phone else None)
        known = self.clients[record_id]
        email, phone10 = known[-1] if known else (None, None)
        if shown == (None, None):
            return
        if shown[1] and phone10:
            is_other = shown[1] != phone10
        elif shown[0] and email:
            is_other = shown[0] != email
        else:
            is_other = bool(known)
        if is_other and self.is_in_order:
            known.clear()
        if is_other:
            email, phone10 = None, None
        known.append((shown[0] or email, shown[1] or phone10))

    async def book_in_form(self, user_id: int, record_id: int) -> None:
        """What the form leaves before it asks YCLIENTS; the record will carry its `api_id`."""
        if record_id in self.api_ids:
            return
        self.api_ids[record_id] = api_id = f"api-{record_id}"
        await self.rows(
            "insert into form_bookings (api_id, user_id, company_id, created_at) values (%s, %s, %s, %s)",
            api_id,
            user_id,
            COMPANY_ID,
            self.clock(),
        )

    async def link(self, booking_id: int, user_id: int | None) -> None:
        """An admin says whose a booking is; None: nobody's."""
        async with self.client(self.admin_id) as client:
            what, body = ("unlink", {}) if user_id is None else ("link", {"user_id": user_id})
            answer = await client.post(f"{API}/admin/bookings/{booking_id}/{what}", json=body)
        if answer.status_code == 200:
            self.by_hand[booking_id] = user_id
        else:
            assert answer.status_code == 409, answer.text
            assert answer.json()["code"] == "booking_erased"

    async def move_points(self, kind: str, user_id: int, points: int, key: str) -> None:
        """An admin redeems or adjusts; the same key again must give the same answer."""
        body = {"user_id": user_id, "points": points, "reason": "tea"}
        before = await self.balance(user_id)
        async with self.client(self.admin_id) as client:
            answer = await client.post(
                f"{API}/admin/loyalty/{kind}", json=body, headers={"Idempotency-Key": key}
            )
        asked = body | {"kind": kind}
        if key in self.keys:
            known, given = self.keys[key]
            is_gone = (await self.rows("select erased_at from users where id = %s", known["user_id"]))[0][
                "erased_at"
            ]
            if known != asked or is_gone:
                assert answer.status_code in {200, 422}, answer.text
            else:
                assert (answer.status_code, answer.json()) == (200, given)
            return
        if answer.status_code != 200:
            assert (answer.status_code, kind) == (409, "redeem"), answer.text
            assert points > await self.balance(user_id)
            return
        self.keys[key] = (asked, answer.json())
        after = await self.balance(user_id)
        assert answer.json()["balance_after"] == after
        if kind == "redeem":
            assert 0 <= after <= before - points

    async def balance(self, user_id: int) -> int:
        (row,) = await self.rows(
            "select coalesce(sum(amount), 0)::int as points from bonus_entries where user_id = %s", user_id
        )
        return row["points"]

    async def pass_days(self, days: int) -> None:
        self.clock.now += timedelta(days=days)

    async def tend(self) -> None:
        """What the worker does by and by."""
        parts = self.parts
        await loyalty.sweep(parts.pool, parts.policy, self.clock())
        settle = parts.people.ports.settle_bookings
        while await sweep_erased(parts.pool, settle_bookings=settle, now=self.clock()):
            pass
        async with parts.pool.connection() as conn:
            waiting = await users_to_rematch(conn, limit=50)
        for user_id, wanted_at in waiting:
            assert await parts.applier.rematcher.rematch(user_id)
            async with parts.pool.connection() as conn:
                await finish_rematches(conn, [(user_id, wanted_at)])


@asynccontextmanager
async def small_world(dsn: str, folder: Path, **environ: str | None) -> AsyncIterator[World]:
    """Yields a world with a salon in Moscow, an admin and nobody else. `environ`: settings."""
    settings = settings_of(
        folder, "http://127.0.0.1:9/api/v1", YCLIENTS_COMPANY_ID=str(COMPANY_ID), **environ
    )
    clock = TurnedClock()
    async with assembled(settings, dsn, name="small world", is_demo=True, clock=clock) as parts:
        parts.people.auth.passwords = QuickPasswords()  # pyright: ignore[reportAttributeAccessIssue]  # it does the same, in no time
        async with parts.pool.connection() as conn:
            await conn.execute(
                "insert into companies (id, timezone_name) values (%s, 'Europe/Moscow')", [COMPANY_ID]
            )
            admin_id = await add_user(conn, is_admin=True)
        async with Committer(parts.applier.apply_items) as committer:
            known = {one.name: getattr(parts, one.name) for one in fields(Parts)}
            runtime = Runtime(**known, committer=committer)
            yield World(create_app(runtime), parts, clock, admin_id)
