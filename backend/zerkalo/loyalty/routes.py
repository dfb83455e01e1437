"""`GET /loyalty` for the user; redeeming and adjusting for admins."""

from typing import Annotated, Protocol

from fastapi import APIRouter, Depends, Header, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, Field

from zerkalo.auth.dependencies import AuthRuntime, current_user, staff
from zerkalo.auth.model import AuthenticatedUser, Role
from zerkalo.db.pool import Pool
from zerkalo.kit.cursor import CURSOR_CHARS_MAX, ID_MAX, ById
from zerkalo.kit.problem import problem_responses
from zerkalo.kit.text import storable_text
from zerkalo.loyalty import service, store
from zerkalo.loyalty.by_hand import service as by_hand
from zerkalo.loyalty.model import HandEntry, LedgerEntry
from zerkalo.loyalty.programme.service import policy_of
from zerkalo.settings import Settings

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
POINTS_MAX = 1_000_000_000
REASON_CHARS_MAX = 500
KEY_CHARS_MAX = 200
_ENTRIES = ById("loyalty")


class LoyaltyRuntime(AuthRuntime, Protocol):
    """What these routes need of the process's parts."""

    @property
    def pool(self) -> Pool: ...
    @property
    def settings(self) -> Settings: ...


class LedgerPage(BaseModel):
    """The balance, and some entries, newest first; `next_cursor` gives the next ones."""

    balance: int
    entries: list[LedgerEntry]
    next_cursor: str | None


def _storable(value: object) -> object:
    return storable_text(value).strip() if isinstance(value, str) else value


def _not_zero(points: int) -> int:
    if points == 0:
        raise ValueError("must not be 0")
    return points


UserId = Annotated[int, Field(strict=True, ge=1, le=ID_MAX)]
"""Strict, as every number of a body: `true` is not 1."""
Reason = Annotated[str, BeforeValidator(_storable), Field(min_length=1, max_length=REASON_CHARS_MAX)]


class RedeemRequest(BaseModel):
    """How many points the user spends, and on what."""

    user_id: UserId
    points: Annotated[int, Field(strict=True, ge=1, le=POINTS_MAX)]
    reason: Reason


class AdjustRequest(BaseModel):
    """How many points the user is given, or loses (negative), and why."""

    user_id: UserId
    points: Annotated[
        int,
        Field(strict=True, ge=-POINTS_MAX, le=POINTS_MAX, json_schema_extra={"not": {"const": 0}}),
        AfterValidator(_not_zero),
    ]
    reason: Reason


IdempotencyKey = Annotated[
    str, Header(alias="Idempotency-Key", min_length=1, max_length=KEY_CHARS_MAX, pattern=r"^[\x21-\x7e]+$")
]


def router(runtime: LoyaltyRuntime) -> APIRouter:
    """The routes of the ledger, to be mounted under /api/v1."""
    routes = APIRouter(tags=["loyalty"])
    signed_in = Depends(current_user(runtime))
    an_admin = staff(runtime, Role.OWNER)
    policy = policy_of(runtime.settings)

    @routes.get("/loyalty", responses=problem_responses(401))
    async def own_ledger(
        user: AuthenticatedUser = signed_in,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
        cursor: Annotated[str | None, Query(max_length=CURSOR_CHARS_MAX)] = None,
    ) -> LedgerPage:
        """One's own balance and entries."""
        async with runtime.pool.connection() as conn:
            entries = await store.read_entries(conn, user.id, _ENTRIES.position(cursor), limit + 1)
            balance = await service.balance(conn, user.id)
        page = _ENTRIES.page(entries, limit, lambda entry: entry.id)
        return LedgerPage(balance=balance, entries=page.items, next_cursor=page.next_cursor)

    @routes.post("/admin/loyalty/redeem", responses=problem_responses(401, 403, 404, 409))
    async def redeem(
        body: RedeemRequest, idempotency_key: IdempotencyKey, admin: AuthenticatedUser = an_admin
    ) -> HandEntry:
        """Take points for something the user got; never more than there are."""
        return await by_hand.redeem(
            runtime.pool,
            user_id=body.user_id,
            points=body.points,
            reason=body.reason,
            idempotency_key=idempotency_key,
            admin_id=admin.id,
            policy=policy,
            now=runtime.clock(),
        )

    @routes.post("/admin/loyalty/adjust", responses=problem_responses(401, 403, 404))
    async def adjust(
        body: AdjustRequest, idempotency_key: IdempotencyKey, admin: AuthenticatedUser = an_admin
    ) -> HandEntry:
        """Give or take points by hand, below zero too."""
        return await by_hand.adjust(
            runtime.pool,
            user_id=body.user_id,
            points=body.points,
            reason=body.reason,
            idempotency_key=idempotency_key,
            admin_id=admin.id,
            policy=policy,
            now=runtime.clock(),
        )

    return routes
