"""The ledger over HTTP: one's own balance; redeeming and adjusting for admins alone."""

import pytest

from tests.support.api import Api, ApiRuntime
from zerkalo.db.pool import Pool
from zerkalo.loyalty import routes


@pytest.fixture
def api(pool: Pool) -> Api:
    return Api(ApiRuntime(pool), routes.router)


def keyed(key="a-key"):
    return {"Idempotency-Key": key}


async def test_an_admin_gives_and_takes_and_she_sees_it(api):
    user_id, anna = await api.new_user()
    _, admin = await api.new_user(is_admin=True)

    given = await admin.post(
        "/admin/loyalty/adjust",
        json={"user_id": user_id, "points": 100, "reason": "подарок"},
        headers=keyed("1"),
    )
    taken = await admin.post(
        "/admin/loyalty/redeem",
        json={"user_id": user_id, "points": 30, "reason": "скидка"},
        headers=keyed("2"),
    )
    again = await admin.post(
        "/admin/loyalty/redeem",
        json={"user_id": user_id, "points": 30, "reason": "скидка"},
        headers=keyed("2"),
    )
    own = (await anna.get("/loyalty", params={"limit": 1})).json()
    rest = (await anna.get("/loyalty", params={"limit": 1, "cursor": own["next_cursor"]})).json()

    assert (given.status_code, given.json()["balance_after"]) == (200, 100)
    assert (taken.status_code, taken.json()["amount"], taken.json()["balance_after"]) == (200, -30, 70)
    assert again.json() == taken.json()
    assert own["balance"] == 70
    assert [
        (entry["kind"], entry["amount"], entry["reason"]) for entry in own["entries"] + rest["entries"]
    ] == [
        ("redemption", -30, "скидка"),
        ("adjustment", 100, "подарок"),
    ]
    assert set(own["entries"][0]) == {"id", "booking_id", "amount", "kind", "reason", "created_at"}
    assert rest["next_cursor"] is None


async def test_another_ones_ledger_is_not_to_be_seen(api):
    user_id, _ = await api.new_user()
    _, vera = await api.new_user()
    _, admin = await api.new_user(is_admin=True)
    await admin.post(
        "/admin/loyalty/adjust",
        json={"user_id": user_id, "points": 100, "reason": "подарок"},
        headers=keyed(),
    )

    assert (await vera.get("/loyalty")).json() == {"balance": 0, "entries": [], "next_cursor": None}


@pytest.mark.parametrize("path", ["/admin/loyalty/redeem", "/admin/loyalty/adjust"])
async def test_only_admins_move_points(api, path):
    user_id, anna = await api.new_user()
    body = {"user_id": user_id, "points": 100, "reason": "себе"}

    assert (await anna.post(path, json=body, headers=keyed())).status_code == 403
    async with api.client() as nobody:
        assert (await nobody.post(path, json=body, headers=keyed())).status_code == 401
        assert (await nobody.get("/loyalty")).status_code == 401
    assert (await anna.get("/loyalty")).json()["balance"] == 0


@pytest.mark.parametrize(
    ("path", "changed", "headers", "status", "code"),
    [
        ("redeem", {}, {}, 422, "invalid_request"),
        ("redeem", {}, {"Idempotency-Key": "with space"}, 422, "invalid_request"),
        ("redeem", {}, {"Idempotency-Key": "x" * 201}, 422, "invalid_request"),
        ("redeem", {}, keyed(), 409, "balance_too_low"),
        ("redeem", {"points": 0}, keyed(), 422, "invalid_request"),
        ("redeem", {"points": -1}, keyed(), 422, "invalid_request"),
        ("redeem", {"points": 10**18}, keyed(), 422, "invalid_request"),
        ("redeem", {"points": 1.5}, keyed(), 422, "invalid_request"),
        ("adjust", {"points": 0}, keyed(), 422, "invalid_request"),
        ("adjust", {"reason": ""}, keyed(), 422, "invalid_request"),
        ("adjust", {"reason": " "}, keyed(), 422, "invalid_request"),
        ("adjust", {"reason": "x" * 501}, keyed(), 422, "invalid_request"),
        ("adjust", {"user_id": 2**63}, keyed(), 422, "invalid_request"),
        ("adjust", {"user_id": 2**63 - 1}, keyed(), 404, "user_not_found"),
    ],
)
async def test_what_cannot_be_moved_is_refused(api, path, changed, headers, status, code):
    user_id, _ = await api.new_user()
    _, admin = await api.new_user(is_admin=True)
    body = {"user_id": user_id, "points": 5, "reason": "скидка"} | changed

    answer = await admin.post(f"/admin/loyalty/{path}", json=body, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_text_that_no_database_stores_is_taken_all_the_same(api):
    user_id, _ = await api.new_user()
    _, admin = await api.new_user(is_admin=True)

    answer = await admin.post(
        "/admin/loyalty/adjust",
        content=f'{{"user_id": {user_id}, "points": 5, "reason": "a\\u0000b\\ud800"}}',
        headers=keyed() | {"Content-Type": "application/json"},
    )

    assert (answer.status_code, answer.json()["reason"]) == (200, "a\ufffdb\ufffd")


async def test_a_foreign_cursor_is_refused(api):
    _, anna = await api.new_user()

    answer = await anna.get("/loyalty", params={"cursor": "garbage"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


async def test_openapi_describes_every_answer_and_problem(api):
    described = api.app.openapi()["paths"]

    assert set(described["/api/v1/loyalty"]["get"]["responses"]) == {"200", "401", "422", "503"}
    assert set(described["/api/v1/admin/loyalty/redeem"]["post"]["responses"]) == {
        "200",
        "401",
        "403",
        "404",
        "409",
        "422",
        "503",
    }
    for methods in described.values():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert list(response["content"]) == ["application/problem+json"]
