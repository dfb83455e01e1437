"""`/auth/verify/…`: proving one's own e-mail or phone."""

from typing import Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from zerkalo.auth.dependencies import client_address, current_user
from zerkalo.auth.model import AuthenticatedUser
from zerkalo.kit.language import language_of
from zerkalo.kit.problem import problem_responses
from zerkalo.outbox.model import Channel
from zerkalo.users.proving import service as proof_service
from zerkalo.users.routes import AcceptLanguage, Code, Me, PeopleRuntime, Sent, me_of

ChannelName = Literal["email", "phone"]


class VerificationRequest(BaseModel):
    """Which contact to prove."""

    channel: ChannelName


class VerificationConfirmation(VerificationRequest):
    """The code that came."""

    code: Code


def router(runtime: PeopleRuntime) -> APIRouter:
    """The routes of proving, to be mounted under /api/v1."""
    routes = APIRouter(prefix="/auth", tags=["auth"])
    people = runtime.people
    signed_in = Depends(current_user(runtime))

    @routes.post("/verify/request", status_code=202, responses=problem_responses(401, 409, 429))
    async def request_verification(
        request: Request,
        body: VerificationRequest,
        user: AuthenticatedUser = signed_in,
        accept_language: AcceptLanguage = None,
    ) -> Sent:
        """Send a code to one's own e-mail or phone."""
        await proof_service.request_verification(
            people,
            user.id,
            Channel(body.channel),
            language=language_of(accept_language),
            address=client_address(request),
            now=runtime.clock(),
        )
        return Sent()

    @routes.post("/verify/confirm", responses=problem_responses(400, 401, 409, 429))
    async def confirm_verification(
        request: Request,
        body: VerificationConfirmation,
        user: AuthenticatedUser = signed_in,
        accept_language: AcceptLanguage = None,
    ) -> Me:
        """Prove the contact by the code; earlier bookings made with it appear at once."""
        proved = await proof_service.confirm_verification(
            people,
            user.id,
            Channel(body.channel),
            body.code,
            address=client_address(request),
            language=language_of(accept_language),
            now=runtime.clock(),
        )
        async with runtime.pool.connection() as conn:
            return await me_of(conn, proved)

    return routes
