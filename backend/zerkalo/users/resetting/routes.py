"""`/auth/password` and `/auth/password/reset/…`: a new password, by the old one or by a code."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, model_validator

from zerkalo.auth.dependencies import bearer_token, client_address
from zerkalo.auth.routes import Tokens, tokens_of
from zerkalo.kit.language import language_of
from zerkalo.kit.problem import ProblemError, problem_responses
from zerkalo.outbox.model import Channel
from zerkalo.users import service
from zerkalo.users.proving.model import Contact
from zerkalo.users.resetting import service as resetting
from zerkalo.users.routes import (
    AcceptLanguage,
    Code,
    Email,
    NewPassword,
    Password,
    PeopleRuntime,
    Phone,
    Sent,
)


class PasswordChange(BaseModel):
    """The password that holds, and the one that shall."""

    old_password: Password
    new_password: NewPassword


class ResetRequest(BaseModel):
    """The proved contact, one of the two, to which the code goes."""

    email: Email | None = None
    phone: Phone | None = None

    @model_validator(mode="after")
    def _has_one(self) -> "ResetRequest":
        if (self.email is None) == (self.phone is None):
            raise ValueError("either email or phone")
        return self

    @property
    def contact(self) -> Contact:
        if self.email is not None:
            return Contact(Channel.EMAIL, self.email)
        assert self.phone is not None, "one of the two is there"
        return Contact(Channel.PHONE, self.phone)


class ResetConfirmation(ResetRequest):
    """The code that came, and the new password."""

    code: Code
    password: NewPassword


def router(runtime: PeopleRuntime) -> APIRouter:
    """The routes of a password, to be mounted under /api/v1."""
    routes = APIRouter(prefix="/auth", tags=["auth"])
    people = runtime.people

    @routes.post("/password", responses=problem_responses(401, 403, 429))
    async def change_password(
        request: Request,
        response: Response,
        body: PasswordChange,
        token: Annotated[str | None, Depends(bearer_token)] = None,
    ) -> Tokens:
        """Change the password and end every session; the answer opens a new one.

        Asked again with the token that this ended, because the answer was lost, it opens one once more.
        """
        response.headers["Cache-Control"] = "no-store"
        now, address = runtime.clock(), client_address(request)
        session = await people.auth.session_of(token, now=now) if token else None
        if session is not None:
            pair = await service.change_password(
                people, session, old=body.old_password, new=body.new_password, address=address, now=now
            )
            return tokens_of(pair)
        claims = people.auth.claims_of(token, now=now) if token else None
        again = claims and await service.change_password_again(
            people, claims, new=body.new_password, address=address, now=now
        )
        if not again:
            raise ProblemError(401, "not_signed_in", "Sign in first.", {"WWW-Authenticate": "Bearer"})
        return tokens_of(again)

    @routes.post("/password/reset/request", status_code=202, responses=problem_responses(409, 429))
    async def request_reset(
        request: Request, body: ResetRequest, accept_language: AcceptLanguage = None
    ) -> Sent:
        """Send a code to a proved contact. The answer is the same where there is none."""
        await resetting.request_reset(
            people,
            body.contact,
            language=language_of(accept_language),
            address=client_address(request),
            now=runtime.clock(),
        )
        return Sent()

    @routes.post("/password/reset/confirm", status_code=204, responses=problem_responses(400, 429))
    async def confirm_reset(request: Request, body: ResetConfirmation) -> None:
        """Set a new password by the code and end every session."""
        await resetting.confirm_reset(
            people,
            body.contact,
            body.code,
            body.password,
            address=client_address(request),
            now=runtime.clock(),
        )

    return routes
