"""`/admin/users`: admins search for users, and merge two accounts of one person."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from zerkalo.auth.dependencies import staff
from zerkalo.auth.model import AuthenticatedUser, Role
from zerkalo.kit.cursor import CURSOR_CHARS_MAX, ID_MAX, ById
from zerkalo.kit.problem import problem_responses
from zerkalo.kit.text import storable_text
from zerkalo.loyalty import store as ledger
from zerkalo.users.desk.store import search_users
from zerkalo.users.merging import service as merge_service
from zerkalo.users.model import User
from zerkalo.users.routes import Me, PeopleRuntime, me_of

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
SEARCH_CHARS_MAX = 200
_USERS = ById("users")


class Person(Me):
    """A user as admins see them. `balance`: points; negative where spent points turned out to be unearned."""

    has_password: bool
    role: Role | None
    created_at: datetime


class PeoplePage(BaseModel):
    """Some users, newest first; `next_cursor` gives the next ones."""

    items: list[Person]
    next_cursor: str | None


class MergeRequest(BaseModel):
    """Which account stays."""

    into: Annotated[int, Field(strict=True, ge=1, le=ID_MAX)]


def person_of(user: User, balance: int) -> Person:
    """The user as admins see them."""
    return Person(
        **me_of(user, balance).model_dump(),
        has_password=user.has_password,
        role=Role(user.role) if user.role else None,
        created_at=user.created_at,
    )


def router(runtime: PeopleRuntime) -> APIRouter:
    """The routes of admins for people, to be mounted under /api/v1."""
    routes = APIRouter(prefix="/admin/users", tags=["admin"])
    an_admin = staff(runtime, Role.OWNER)

    @routes.get("", responses=problem_responses(401, 403))
    async def list_users(
        admin: AuthenticatedUser = an_admin,
        search: Annotated[str, Query(max_length=SEARCH_CHARS_MAX)] = "",
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
        cursor: Annotated[str | None, Query(max_length=CURSOR_CHARS_MAX)] = None,
    ) -> PeoplePage:
        """Users; `search` is a part of an e-mail, a phone, a code or a name."""
        async with runtime.pool.connection() as conn:
            found = await search_users(
                conn, text=storable_text(search).strip(), before_id=_USERS.position(cursor), limit=limit + 1
            )
            page = _USERS.page(found, limit, lambda user: user.id)
            balances = await ledger.read_balances(conn, [user.id for user in page.items])
        items = [person_of(user, balances.get(user.id, 0)) for user in page.items]
        return PeoplePage(items=items, next_cursor=page.next_cursor)

    @routes.post("/{user_id}/merge", responses=problem_responses(401, 403, 404, 409))
    async def merge(
        user_id: Annotated[int, Path(ge=1, le=ID_MAX)],
        body: MergeRequest,
        admin: AuthenticatedUser = an_admin,
    ) -> Me:
        """Merge this account into another one of the same person. Returns the account that stays."""
        user = await merge_service.merge_users(
            runtime.people, from_id=user_id, into_id=body.into, admin_id=admin.id, now=runtime.clock()
        )
        async with runtime.pool.connection() as conn:
            return me_of(user, await ledger.read_balance(conn, user.id))

    return routes
