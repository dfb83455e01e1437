"""`/auth/login`, `/auth/refresh`, `/auth/logout`."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, ValidationError

from zerkalo.auth.dependencies import AuthRuntime, client_address, optional_session
from zerkalo.auth.model import Session, Tokens
from zerkalo.auth.rules import PASSWORD_CHARS_MAX, TOKEN_CHARS_MAX
from zerkalo.kit.contact import canonical_email
from zerkalo.kit.problem import problem_responses


class LogIn(BaseModel):
    """Whom to sign in."""

    email: Annotated[str, Field(max_length=1000)]
    password: Annotated[str, Field(max_length=PASSWORD_CHARS_MAX)]


_LOG_IN_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": LogIn.model_json_schema()},
            "application/x-www-form-urlencoded": {
                "schema": {
                    "type": "object",
                    "required": ["username", "password"],
                    "properties": {
                        "username": {"type": "string", "maxLength": 1000},
                        "password": {"type": "string", "maxLength": PASSWORD_CHARS_MAX},
                    },
                }
            },
        },
    }
}


async def _log_in_of(request: Request) -> LogIn:
    """Parse the body, JSON or form; raises `RequestValidationError`."""
    given: dict[str, Any]
    try:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
            given = await request.json()
        else:
            form = await request.form()
            given = {name: form[name] for name in form if name in ("username", "password")}
            given["email"] = given.pop("username", None)
        return LogIn.model_validate(given)
    except ValidationError as error:
        wrong = [{**found, "loc": ("body", *found["loc"])} for found in error.errors(include_context=False)]
        raise RequestValidationError(wrong) from None
    except (ValueError, RecursionError):
        raise RequestValidationError(
            [{"type": "json_invalid", "loc": ("body",), "msg": "must be JSON or a form", "input": None}]
        ) from None


class RefreshRequest(BaseModel):
    """The newest refresh token."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=TOKEN_CHARS_MAX)]


class LogoutRequest(BaseModel):
    """The session to end, where there is no access token."""

    refresh_token: Annotated[str, Field(min_length=1, max_length=TOKEN_CHARS_MAX)] | None = None


def router(runtime: AuthRuntime) -> APIRouter:
    """The routes of a session, to be mounted under /api/v1."""
    routes = APIRouter(prefix="/auth", tags=["auth"])
    auth = runtime.auth

    @routes.post("/login", responses=problem_responses(401, 429), openapi_extra=_LOG_IN_BODY)
    async def login(
        request: Request, response: Response, body: Annotated[LogIn, Depends(_log_in_of)]
    ) -> Tokens:
        """Sign in by JSON, or by the OAuth2 password form, where `username` is the e-mail."""
        response.headers["Cache-Control"] = "no-store"
        return await auth.log_in(
            canonical_email(body.email), body.password, address=client_address(request), now=runtime.clock()
        )

    @routes.post("/refresh", responses=problem_responses(401))
    async def refresh(response: Response, body: RefreshRequest) -> Tokens:
        """Exchange the refresh token for a new pair. Within a minute a repetition returns the same pair; later it ends the session."""
        response.headers["Cache-Control"] = "no-store"
        return await auth.refresh(body.refresh_token, now=runtime.clock())

    @routes.post("/logout", status_code=204)
    async def logout(
        session: Annotated[Session | None, Depends(optional_session(runtime))],
        body: Annotated[LogoutRequest | None, Body()] = None,
    ) -> None:
        """End the session of the access token, or of the refresh token in the body."""
        await auth.log_out(
            family=session.family if session else None,
            refresh_token=body.refresh_token if body else None,
            now=runtime.clock(),
        )

    return routes
