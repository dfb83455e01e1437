"""Tokens that are not what they say, other people's ids, and what a guess costs: over HTTP, on the whole application."""

import asyncio
import base64
import gc
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import bcrypt
import httpx2
import jwt
import pytest

from tests.support.application import COMPANY_ID, PASSWORD, SECRET, WEBHOOK, Application
from tests.support.emulator import sample
from zerkalo.auth import rules
from zerkalo.auth.passwords.rules import is_our_hash
from zerkalo.auth.passwords.service import Passwords
from zerkalo.auth.service import Auth
from zerkalo.webhook import routes as webhook_routes

pytestmark = pytest.mark.integration


@pytest.fixture(autouse=True)
async def fresh_limits(application: Application) -> AsyncIterator[None]:
    yield
    await application.execute("delete from attempts")
    await application.execute("update users set email = null, phone = null, erased_at = now()")


def claims_of(token: str) -> dict[str, Any]:
    return jwt.decode(token, options={"verify_signature": False})


async def status_of(application: Application, token: str) -> int:
    async with application.client(token) as client:
        return (await client.get("/api/v1/auth/me")).status_code


async def test_the_hash_of_another_program_opens_once_and_is_renewed(application: Application) -> None:
    theirs = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    user_id = await application.new_user(email="moved@mail.test", password_hash=theirs)

    async with application.client() as client:
        first, wrong, again = [
            await client.post("/api/v1/auth/login", json={"email": "moved@mail.test", "password": password})
            for password in (PASSWORD, "wrong password", PASSWORD)
        ]

    assert (first.status_code, wrong.status_code, again.status_code) == (200, 401, 200)
    (kept,) = await application.fetch("select password_hash from users where id = %s", user_id)
    assert is_our_hash(kept["password_hash"])
    assert await status_of(application, first.json()["access_token"]) == 200, (
        "renewing a hash ends no session"
    )


async def test_only_our_own_live_token_opens_a_session(application: Application) -> None:
    user_id = await application.new_user(email="jwt@mail.test")
    pair = await application.session_of(user_id)
    key = rules.derive_key(application.runtime.secret_key, "access token")
    claims = claims_of(pair.access_token)
    past, later = int((datetime.now(UTC) - timedelta(hours=1)).timestamp()), claims["iat"] + 7200
    head, body, mark = pair.access_token.split(".")

    def signed(by: bytes | str = key, algorithm: str = "HS256", **changes: Any) -> str:
        return jwt.encode({**claims, **changes}, by, algorithm=algorithm)

    assert await status_of(application, pair.access_token) == 200
    assert await status_of(application, signed()) == 200, "the forger of this test knows the form"
    forged = {
        "alg none": jwt.encode(claims, "", algorithm="none"),
        "alg none, in capitals": f"{_b64(json.dumps({'alg': 'NoNe', 'typ': 'JWT'}))}.{body}.",
        "without a signature": f"{head}.{body}.",
        "another's signature": f"{head}.{body}.{signed(uuid4().bytes + b'x' * 16).split('.')[2]}",
        "signed by the raw secret": signed(application.runtime.secret_key),
        "signed by the webhook's secret": signed(SECRET * 2),
        "another algorithm": signed(key * 2, "HS512"),
        "expired": signed(iat=past - 900, exp=past),
        "from the future": signed(iat=later, exp=later + 900),
        "another issuer": signed(iss="evil"),
        "another audience": signed(aud="another"),
        "another user": f"{head}.{_b64(json.dumps({**claims, 'sub': '1'}))}.{mark}",
        "another's family": signed(sid=str(uuid4())),
        "another's user, her own family": signed(sub=str(await application.new_user(email="x@mail.test"))),
        "an epoch that was": signed(epoch=claims["epoch"] - 1),
        "the refresh token": pair.refresh_token,
        "a key of the caller's": jwt.encode(claims, "k" * 32, headers={"jwk": {"kty": "oct", "k": "a2tr"}}),
        "a key to fetch": jwt.encode(
            claims, "k" * 32, headers={"jku": "http://127.0.0.1:9/k", "kid": "../../dev/null"}
        ),
    }
    for name, token in forged.items():
        assert await status_of(application, token) == 401, name


def _b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


async def test_an_access_token_is_no_refresh_token_and_a_used_one_ends_all(application: Application) -> None:
    user_id = await application.new_user(email="refresh@mail.test")
    pair = await application.session_of(user_id)
    async with application.client() as client:

        async def refresh(token: str) -> httpx2.Response:
            return await client.post("/api/v1/auth/refresh", json={"refresh_token": token})

        assert (await refresh(pair.access_token)).status_code == 401
        first = await refresh(pair.refresh_token)
        assert first.status_code == 200
        second = await refresh(first.json()["refresh_token"])
        assert second.status_code == 200
        assert (await refresh(pair.refresh_token)).status_code == 401, "used before, and its successor too"
        assert (await refresh(second.json()["refresh_token"])).status_code == 401, (
            "and so the thief's is ended too"
        )
    for ended in (first, second):
        assert await status_of(application, ended.json()["access_token"]) == 401


@pytest.mark.parametrize("what", ["logout", "password", "erase", "epoch"])
async def test_an_ended_session_is_ended_everywhere_at_once(application: Application, what: str) -> None:
    user_id = await application.new_user(email="ended@mail.test")
    pair, other = await application.session_of(user_id), await application.session_of(user_id)
    async with application.client(pair.access_token) as client:
        if what == "logout":
            await client.post("/api/v1/auth/logout")
        elif what == "password":
            body = {"old_password": PASSWORD, "new_password": "another password"}
            assert (await client.post("/api/v1/auth/password", json=body)).status_code == 200
        elif what == "erase":
            assert (
                await client.request("DELETE", "/api/v1/auth/me", json={"password": PASSWORD})
            ).status_code == 204
        else:
            await application.execute("update users set token_epoch = token_epoch + 1 where id = %s", user_id)

    assert await status_of(application, pair.access_token) == 401
    assert await status_of(application, other.access_token) == (200 if what == "logout" else 401)


async def test_an_admin_who_is_none_any_more_has_no_rights_at_once(application: Application) -> None:
    admin_id = await application.new_user(email="fallen@mail.test", is_admin=True)
    async with await application.as_user(admin_id) as client:
        assert (await client.get("/api/v1/admin/users")).status_code == 200
        await application.execute("update users set role = null where id = %s", admin_id)
        assert (await client.get("/api/v1/admin/users")).status_code == 403


async def test_ids_of_others_are_as_if_they_were_not(application: Application) -> None:
    """The same status and the same words for another's booking as for none: ids can't be counted out."""
    owner, other = [await application.new_user(email=f"idor{n}@mail.test") for n in range(2)]
    event = sample("01")
    event["data"]["last_change_date"] = "2025-12-01T12:00:00+0300"  # past: a change ahead of now is asked for
    async with application.client() as client:
        hers = (await client.post(f"{WEBHOOK}/{SECRET}", json=event)).json()["booking_id"]
    await application.execute("update bookings set user_id = %s where id = %s", owner, hers)
    async with await application.as_user(other) as client:
        for booking_id in (hers, 987_654_321):
            answers = [
                await client.get(f"/api/v1/booking/{booking_id}"),
                await client.patch(
                    f"/api/v1/booking/{booking_id}", json={"datetime": "2030-01-15T12:00:00+03:00"}
                ),
                await client.delete(f"/api/v1/booking/{booking_id}"),
            ]
            assert {answer.status_code for answer in answers} == {404}
            assert len({answer.text for answer in answers}) == 1
        cursor = (await client.get("/api/v1/booking", params={"limit": 1})).json()
    assert cursor == {"items": [], "next_cursor": None}


async def test_another_s_cursor_shows_only_one_s_own(application: Application) -> None:
    owner, other = [await application.new_user(email=f"cursor{n}@mail.test") for n in range(2)]
    for number in range(3):
        await application.execute(
            "insert into bookings (company_id, yclients_record_id, user_id, appointment_datetime) values (%s, %s, %s, %s)",
            *(COMPANY_ID, 70_000 + number, owner, datetime(2030, 1, 1 + number, tzinfo=UTC)),
        )
    async with await application.as_user(owner) as client:
        page = (await client.get("/api/v1/booking", params={"limit": 1})).json()
    async with await application.as_user(other) as client:
        answer = await client.get("/api/v1/booking", params={"cursor": page["next_cursor"]})

    assert answer.json()["items"] == []


class CountedPasswords(Passwords):
    """Counts what is slow: the hashes computed for one call."""

    def __init__(self) -> None:
        super().__init__()
        self.computed = 0

    async def hash(self, password: str, *, address: str) -> str:
        self.computed += 1
        return await super().hash(password, address=address)

    async def verify(self, password: str, password_hash: str | None, *, address: str) -> bool:
        self.computed += 1
        return await super().verify(password, password_hash, address=address)


@asynccontextmanager
async def counted(application: Application) -> AsyncIterator[CountedPasswords]:
    auths = [application.runtime.people.auth, *_auths_in(application)]
    counter, held = CountedPasswords(), [auth.passwords for auth in auths]
    for auth in auths:
        auth.passwords = counter
    try:
        yield counter
    finally:
        for auth, own in zip(auths, held, strict=True):
            auth.passwords = own


def _auths_in(application: Application) -> list[Any]:
    """Every `Auth` of this process: routers make their own."""
    return [one for one in gc.get_objects() if isinstance(one, Auth) and one.pool is application.runtime.pool]


async def test_a_log_in_costs_and_says_the_same_whoever_is_there(application: Application) -> None:
    """Enumeration: not by the answer, and not by its time, of which the hashes are nearly all."""
    await application.new_user(email="known@mail.test")
    await application.new_user(email="proved@mail.test", email_verified_at=datetime.now(UTC))
    await application.new_user(email="imported@mail.test", password_hash=None)
    answers: dict[str, tuple[int, int, str]] = {}
    for name in (
        "known@mail.test",
        "proved@mail.test",
        "imported@mail.test",
        "nobody@mail.test",
        "no e-mail",
    ):
        async with counted(application) as counter, application.client() as client:
            answer = await client.post("/api/v1/auth/login", data={"username": name, "password": "wrong"})
            answers[name] = (answer.status_code, counter.computed, answer.text)

    assert len(set(answers.values())) == 1
    assert answers["nobody@mail.test"][:2] == (401, 3)


async def test_registering_and_resetting_tell_nothing_of_who_is_there(application: Application) -> None:
    await application.new_user(email="there@mail.test", email_verified_at=datetime.now(UTC))
    seen: dict[str, list[tuple[int, int, Any]]] = {}
    for name in ("there@mail.test", "absent@mail.test"):
        seen[name] = []
        for path, body in (
            ("register", {"email": name, "password": PASSWORD}),
            ("password/reset/request", {"email": name}),
            ("password/reset/confirm", {"email": name, "code": "000000", "password": PASSWORD}),
        ):
            async with counted(application) as counter, application.client() as client:
                answer = await client.post(f"/api/v1/auth/{path}", json=body)
            told = sorted(answer.json()) if path == "register" else answer.json()
            seen[name].append((answer.status_code, counter.computed, told))

    assert seen["there@mail.test"] == seen["absent@mail.test"]


async def test_a_phone_can_be_asked_for_by_nobody(application: Application) -> None:
    """Two numbers, one of them proved by somebody: changing to it and asking for a code say the same."""
    await application.new_user(
        email="phone@mail.test", phone="+79990000011", phone_verified_at=datetime.now(UTC)
    )
    answers = []
    for number, phone in enumerate(("+79990000011", "+79990000022")):
        user_id = await application.new_user(email=f"asker{number}@mail.test")
        async with await application.as_user(user_id) as client:
            changed = await client.patch("/api/v1/auth/me", json={"phone": phone, "password": PASSWORD})
            asked = await client.post("/api/v1/auth/verify/request", json={"channel": "phone"})
            wrong = await client.post(
                "/api/v1/auth/verify/confirm", json={"channel": "phone", "code": "000000"}
            )
        answers.append((changed.status_code, asked.status_code, asked.text, wrong.status_code, wrong.text))

    assert answers[0] == answers[1]


async def test_a_flood_of_codes_to_one_phone_is_dammed_whoever_asks(application: Application) -> None:
    """SMS bombing: ten accounts from ten addresses, one number."""
    asked = []
    for number in range(10):
        user_id = await application.new_user(email=f"bomber{number}@mail.test", phone="+79990000033")
        async with await application.as_user(user_id, address=f"198.51.100.{number}") as client:
            asked.append(
                (await client.post("/api/v1/auth/verify/request", json={"channel": "phone"})).status_code
            )

    assert asked == [202, *[429] * 9]
    (sent,) = await application.fetch("select count(*) from outbox where recipient = '+79990000033'")
    assert sent["count"] == 1


async def test_a_flood_of_log_ins_from_one_network_keeps_nobody_else_waiting(
    application: Application,
) -> None:
    """80 at once from one /56: some wait, the rest are told to come again, and another caller's turn comes next."""
    flood = [application.client(address=f"2001:db8:1:{n:x}::1") for n in range(80)]
    calls = [
        asyncio.ensure_future(
            one.post("/api/v1/auth/login", data={"username": f"flood{n}@mail.test", "password": "x"})
        )
        for n, one in enumerate(flood)
    ]
    await asyncio.sleep(0)
    async with application.client(address="203.0.113.9") as client:
        other = await client.post("/api/v1/auth/login", data={"username": "other@mail.test", "password": "x"})
        still_waiting = sum(not call.done() for call in calls)
        alive = await client.get("/healthz")
    answers = await asyncio.gather(*calls)
    for one in flood:
        await one.aclose()

    assert other.status_code == 401
    assert still_waiting > 0, "the crowd was not served first"
    assert {answer.status_code for answer in answers} == {401, 503}
    assert all(answer.headers["Retry-After"] for answer in answers if answer.status_code == 503)
    assert alive.status_code == 200


async def test_the_webhook_compares_its_token_in_constant_time(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the comparison that is made for it, and by no other: what decides is seen to be its answer."""
    compared: list[tuple[bytes, bytes]] = []

    class Remembering:
        @staticmethod
        def compare_digest(one: bytes, other: bytes) -> bool:
            compared.append((one, other))
            return False

    monkeypatch.setattr(webhook_routes, "hmac", Remembering)
    async with application.client() as client:
        answers = [
            await client.post(f"{WEBHOOK}/{SECRET}", json=sample("01")),
            await client.post(WEBHOOK, params={"token": SECRET}, json=sample("01")),
            await client.post(WEBHOOK, json=sample("01")),
        ]

    assert [answer.status_code for answer in answers] == [401] * 3
    assert [one for one, _ in compared] == [SECRET.encode(), SECRET.encode(), b""]
