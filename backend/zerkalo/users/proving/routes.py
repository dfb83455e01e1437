"""`/auth/verify/…`: proving one's own e-mail or phone."""

from typing import Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from zerkalo.auth.dependencies import current_user
from zerkalo.auth.model import AuthenticatedUser
from zerkalo.kit.problem import problem_responses
from zerkalo.loyalty import store as ledger
from zerkalo.outbox.model import Channel
from zerkalo.users.proving import service as proof_service
from zerkalo.users.proving.model import Resolve
from zerkalo.users.routes import Call, Code, Me, Password, PeopleRuntime, Sent, calls, me_of

ChannelName = Literal["email", "phone"]
ResolveName = Literal["take", "join"]


class VerificationRequest(BaseModel):
    """Which contact to prove."""

    channel: ChannelName


class VerificationConfirmation(VerificationRequest):
    """The code that was sent. After 409 `account_exists`, `resolve` says what to do about the other account that has
    proved the contact: `take` the contact from it, or `join` it to this account by its password.
    """

    code: Code
    resolve: ResolveName | None = None
    other_password: Password | None = None


def router(runtime: PeopleRuntime) -> APIRouter:
    """The routes of proving, to be mounted under /api/v1."""
    routes = APIRouter(prefix="/auth", tags=["auth"])
    people = runtime.people
    signed_in, call = Depends(current_user(runtime)), Depends(calls(runtime))

    @routes.post("/verify/request", status_code=202, responses=problem_responses(401, 409, 429))
    async def request_verification(
        body: VerificationRequest, user: AuthenticatedUser = signed_in, call: Call = call
    ) -> Sent:
        """Send a code to one's own e-mail or phone."""
        await proof_service.request_verification(
            people,
            user.id,
            Channel(body.channel),
            language=call.language,
            address=call.address,
            now=call.now,
        )
        return Sent()

    @routes.post("/verify/confirm", responses=problem_responses(400, 401, 403, 409, 429))
    async def confirm_verification(
        body: VerificationConfirmation, user: AuthenticatedUser = signed_in, call: Call = call
    ) -> Me:
        """Prove the contact by the code; earlier bookings made with it appear at once."""
        proved = await proof_service.confirm_verification(
            people,
            user.id,
            Channel(body.channel),
            body.code,
            resolve=Resolve(body.resolve) if body.resolve else None,
            other_password=body.other_password,
            address=call.address,
            language=call.language,
            now=call.now,
        )
        async with runtime.pool.connection() as conn:
            return me_of(proved, await ledger.read_balance(conn, proved.id))

    return routes
