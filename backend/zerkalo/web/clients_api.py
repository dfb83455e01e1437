"""Unmatched visits grouped by YCLIENTS's card, for admins; linking a card to a user, and unlinking it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal, Protocol

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field, StrictBool

from zerkalo.auth.dependencies import AuthRuntime, staff
from zerkalo.auth.model import AuthenticatedUser, Role
from zerkalo.bookings.routes import LIMIT_DEFAULT, LIMIT_MAX
from zerkalo.clients import store as clients
from zerkalo.clients.model import Card, CardCandidate, Key, UnmatchedCard, is_email_late
from zerkalo.db.pool import Connection, Pool
from zerkalo.kit.cursor import CURSOR_CHARS_MAX, ID_MAX, decode_cursor, encode_cursor
from zerkalo.kit.problem import problem_responses
from zerkalo.mirror.by_hand.rules import Doubts, doubts_about
from zerkalo.mirror.by_hand.service import give_card, take_card_back
from zerkalo.mirror.service import Applier
from zerkalo.users import store as users
from zerkalo.users.model import User

Id = Annotated[int, Path(ge=1, le=ID_MAX)]


class ClientsRuntime(AuthRuntime, Protocol):
    """What these routes need of the process's parts."""

    @property
    def pool(self) -> Pool: ...
    @property
    def applier(self) -> Applier: ...


class Client(BaseModel):
    """A card of YCLIENTS. `visits`: all that we have of it; `linked`: those that a user has.

    `email_came_late`: the e-mail came to the card after we had seen it with its phone, since `email_known_since`;
    whoever books online with the phone can write one.
    """

    company_id: int
    client_id: int
    name: str
    phone: str | None
    email: str | None
    email_known_since: datetime | None
    email_came_late: bool
    user_id: int | None
    visits: int
    linked: int


class ClientCandidate(BaseModel):
    """Somebody whom visits of the card name: by what, why that does not settle it, and what speaks against them."""

    user_id: int
    name: str
    unique_code: str | None
    step: Literal["form", "code", "import", "card", "email", "phone"]
    reason: Literal["rivals", "late_email", "email_alone", "handed_over"]
    visits: int
    doubts: Doubts


class UnmatchedClient(Client):
    """A card with visits that no user has. `unmatched`: how many."""

    unmatched: int
    latest_at: datetime
    candidates: list[ClientCandidate]


class UnmatchedClients(BaseModel):
    """Some of them; `next_cursor` gives the next ones, null where there are none."""

    items: list[UnmatchedClient]
    next_cursor: str | None


class ClientLinkRequest(BaseModel):
    """Whose the card is. `sure` false: refused (`doubtful`) where the evidence speaks against it, so that one can ask."""

    user_id: Annotated[int, Field(strict=True, ge=1, le=ID_MAX)]
    sure: StrictBool = True


def router(runtime: ClientsRuntime) -> APIRouter:
    """Return the routes, to be mounted under /api/v1."""
    refusals = problem_responses(401, 403)
    a_reader, a_receptionist = staff(runtime, Role.READ_ONLY), staff(runtime, Role.RECEPTIONIST)
    routes = APIRouter(prefix="/admin/clients", tags=["admin"], responses=refusals)

    @routes.get("/unmatched", dependencies=[a_reader])
    async def unmatched_clients(
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
        cursor: Annotated[str | None, Query(max_length=CURSOR_CHARS_MAX)] = None,
    ) -> UnmatchedClients:
        """Cards with visits that no user has, the latest visit first, each with whom it may be and how that is known."""
        after = position_of(cursor)
        async with runtime.pool.connection() as conn:
            found = await clients.unmatched_cards(conn, after=after, limit=limit + 1)
            page = found[:limit]
            items = await with_candidates(conn, page)
        last = items[-1] if len(found) > limit else None
        return UnmatchedClients(
            items=items,
            next_cursor=cursor_of(last) if last else None,
        )

    @routes.post("/{company_id}/{client_id}/link", responses=problem_responses(401, 403, 404, 409))
    async def link_client(
        company_id: Id, client_id: Id, body: ClientLinkRequest, admin: AuthenticatedUser = a_receptionist
    ) -> Client:
        """Give a card to a user with all its visits, past and to come, that no code or form names another for."""
        card = await give_card(
            runtime.pool,
            runtime.applier.rematcher.rematch_card,
            (company_id, client_id),
            body.user_id,
            admin_id=admin.id,
            is_sure=body.sure,
            now=runtime.clock(),
        )
        async with runtime.pool.connection() as conn:
            return await _client(conn, card)

    @routes.post("/{company_id}/{client_id}/unlink", responses=problem_responses(401, 403, 404, 409))
    async def unlink_client(
        company_id: Id, client_id: Id, admin: AuthenticatedUser = a_receptionist
    ) -> Client:
        """Take the card back: the visits that the user had by it are matched anew."""
        key = (company_id, client_id)
        card = await take_card_back(
            runtime.pool, runtime.applier.rematcher.rematch_card, key, admin_id=admin.id, now=runtime.clock()
        )
        async with runtime.pool.connection() as conn:
            return await _client(conn, card)

    return routes


async def with_candidates(conn: Connection, found: Sequence[UnmatchedCard]) -> list[UnmatchedClient]:
    """Return cards with unmatched visits as the API shows them, each with its candidates and the evidence."""
    candidates = await _candidates(conn, [one.card for one in found])
    return [
        UnmatchedClient(
            **(await _client(conn, one.card)).model_dump(),
            unmatched=one.visits,
            latest_at=one.latest_at,
            candidates=candidates.get(one.card.key, []),
        )
        for one in found
    ]


_CURSOR = "unmatched clients"


def cursor_of(last: UnmatchedClient) -> str:
    """Return the cursor of the list after this card."""
    return encode_cursor(_CURSOR, last.latest_at, last.company_id, last.client_id)


def position_of(cursor: str | None) -> tuple[datetime, int, int] | None:
    """Return a cursor's position in the list. Raises a 422 `ProblemError` for a cursor of another list."""
    if cursor is None:
        return None
    latest_at, company_id, client_id = decode_cursor(cursor, _CURSOR, datetime, int, int)
    assert isinstance(latest_at, datetime)
    assert isinstance(company_id, int)
    assert isinstance(client_id, int)
    return latest_at, company_id, client_id


async def _client(conn: Connection, card: Card) -> Client:
    visits, linked = await clients.visits_of(conn, card.key)
    return Client(
        company_id=card.company_id,
        client_id=card.client_id,
        name=card.name,
        phone=card.phone,
        email=card.email,
        email_known_since=card.email_known_since,
        email_came_late=is_email_late(card),
        user_id=card.user_id,
        visits=visits,
        linked=linked,
    )


async def _candidates(conn: Connection, cards: list[Card]) -> dict[Key, list[ClientCandidate]]:
    found = await clients.candidates_of(conn, [card.key for card in cards])
    ids = {one.user_id for several in found.values() for one in several}
    people = {user_id: await users.read_user(conn, user_id) for user_id in ids}
    by_key = {card.key: card for card in cards}
    return {
        key: [
            _candidate(one, user, doubts_about(by_key[key], user))
            for one in several
            if (user := people[one.user_id]) is not None and user.erased_at is None
        ]
        for key, several in found.items()
    }


def _candidate(one: CardCandidate, user: User, doubts: Doubts) -> ClientCandidate:
    return ClientCandidate.model_validate(
        {
            "user_id": one.user_id,
            "name": user.name,
            "unique_code": user.unique_code,
            "step": one.step,
            "reason": one.reason,
            "visits": one.visits,
            "doubts": doubts,
        }
    )
