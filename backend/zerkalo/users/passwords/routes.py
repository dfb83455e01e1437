"""`/auth/password` and `/auth/password/reset/…`: setting a new password, by the old one or by a code."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from zerkalo.auth.dependencies import bearer_token, client_address
from zerkalo.auth.model import Tokens
from zerkalo.kit.problem import ProblemError, problem_responses
from zerkalo.users.passwords import service
from zerkalo.users.routes import (
    Call,
    Code,
    NamedContact,
    NewPassword,
    Password,
    PeopleRuntime,
    Sent,
    calls,
)


class PasswordChange(BaseModel):
    """The current password and the new one."""

    old_password: Password
    new_password: NewPassword


class ResetConfirmation(NamedContact):
    """The proved contact, the code sent to it, and the new password."""

    code: Code
    password: NewPassword


def router(runtime: PeopleRuntime) -> APIRouter:
    """The routes of a password, to be mounted under /api/v1."""
    routes = APIRouter(prefix="/auth", tags=["auth"])
    people, call = runtime.people, Depends(calls(runtime))

    @routes.post("/password", responses=problem_responses(401, 403, 429))
    async def change_password(
        request: Request,
        response: Response,
        body: PasswordChange,
        token: Annotated[str | None, Depends(bearer_token)] = None,
    ) -> Tokens:
        """Change the password and end every session; the answer opens a new one.

        A repetition with the token that this ended, because the answer was lost, opens another session.
        """
        response.headers["Cache-Control"] = "no-store"
        now, address = runtime.clock(), client_address(request)
        session = await people.auth.session_of(token, now=now) if token else None
        refused = ProblemError(401, "not_signed_in", "Sign in first.", {"WWW-Authenticate": "Bearer"})
        if session is not None:
            try:
                return await service.change_password(
                    people, session, old=body.old_password, new=body.new_password, address=address, now=now
                )
            except ProblemError as problem:
                refused = problem  # unless another press of the same button has changed it meanwhile
        claims = people.auth.claims_of(token, now=now) if token else None
        again = claims and await service.change_password_again(
            people, claims, new=body.new_password, address=address, now=now
        )
        if not again:
            raise refused
        return again

    @routes.post("/password/reset/request", status_code=202, responses=problem_responses(409, 429))
    async def request_reset(body: NamedContact, call: Call = call) -> Sent:
        """Send a code to a proved contact. The answer is the same where there is none."""
        await service.request_reset(
            people, body.contact, language=call.language, address=call.address, now=call.now
        )
        return Sent()

    @routes.post("/password/reset/confirm", status_code=204, responses=problem_responses(400, 429))
    async def confirm_reset(body: ResetConfirmation, call: Call = call) -> None:
        """Set a new password by the code and end every session."""
        await service.confirm_reset(
            people, body.contact, body.code, body.password, address=call.address, now=call.now
        )

    return routes
