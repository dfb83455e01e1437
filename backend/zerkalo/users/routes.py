"""`/auth/register` and `/auth/me`: one's own account."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Protocol

from fastapi import APIRouter, Body, Depends, Header, Request, Response
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from zerkalo.auth.dependencies import AuthRuntime, bearer_token, client_address, current_user
from zerkalo.auth.model import AuthenticatedUser
from zerkalo.auth.rules import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN
from zerkalo.kit.contact import canonical_email
from zerkalo.kit.language import Language, language_of
from zerkalo.kit.phone import normalise_phone
from zerkalo.kit.problem import ProblemError, problem_responses
from zerkalo.kit.text import storable_text
from zerkalo.loyalty import store as ledger
from zerkalo.outbox.model import Channel
from zerkalo.users import service, store
from zerkalo.users.erasing import service as erase_service
from zerkalo.users.exporting.service import Exported, export_user
from zerkalo.users.model import User
from zerkalo.users.proving import service as proof_service
from zerkalo.users.proving.model import Contact
from zerkalo.users.service import People

NAME_CHARS_MAX = 200
CONTACT_CHARS_MAX = 320


class PeopleRuntime(AuthRuntime, Protocol):
    """What these routes need of the process's parts."""

    @property
    def people(self) -> People: ...


def _email(text: str) -> str:
    email = canonical_email(text)
    if email is None:
        raise ValueError("must be an e-mail address")
    return email


def _phone(text: str) -> str:
    e164, tail = normalise_phone(text)
    if e164 is None or tail is None:
        raise ValueError("must be a phone number with its country code, for example +79991234567")
    return e164


def _name(text: str) -> str:
    return storable_text(text).strip()


Email = Annotated[str, Field(max_length=CONTACT_CHARS_MAX), AfterValidator(_email)]
Phone = Annotated[str, Field(max_length=64), AfterValidator(_phone)]
Name = Annotated[str, Field(max_length=NAME_CHARS_MAX), AfterValidator(_name)]
NewPassword = Annotated[str, Field(min_length=PASSWORD_CHARS_MIN, max_length=PASSWORD_CHARS_MAX)]
Password = Annotated[str, Field(max_length=PASSWORD_CHARS_MAX)]
Code = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]
AcceptLanguage = Annotated[str | None, Header(alias="Accept-Language")]


@dataclass(frozen=True, slots=True)
class Call:
    """The caller's address and language, and the time of the call."""

    address: str
    language: Language
    now: datetime


def calls(runtime: PeopleRuntime) -> Callable[..., Awaitable[Call]]:
    """A dependency that gives the `Call`."""

    async def dependency(request: Request, accept_language: AcceptLanguage = None) -> Call:
        return Call(client_address(request), language_of(accept_language), runtime.clock())

    return dependency


class NamedContact(BaseModel):
    """An e-mail or a phone: one of the two."""

    email: Email | None = None
    phone: Phone | None = None

    @model_validator(mode="after")
    def _has_one(self) -> "NamedContact":
        if (self.email is None) == (self.phone is None):
            raise ValueError("either email or phone")
        return self

    @property
    def contact(self) -> Contact:
        """The one that is there."""
        if self.email is not None:
            return Contact(Channel.EMAIL, self.email)
        assert self.phone is not None, "one of the two is there"
        return Contact(Channel.PHONE, self.phone)


class Registration(BaseModel):
    """A new account. The e-mail is the log-in; e-mail and phone count for bookings once they are proved."""

    email: Email
    password: NewPassword
    phone: Phone | None = None
    name: Name = ""


class Me(BaseModel):
    """One's own account. `balance`: points."""

    id: int
    email: str | None
    phone: str | None
    name: str
    unique_code: str | None
    email_verified: bool
    phone_verified: bool
    is_admin: bool
    balance: int


class Confirmation(BaseModel):
    """A confirmation by the account's owner: the password or, where the account has none, a fresh code."""

    password: Password | None = None
    code: Code | None = None


class ProfileChange(Confirmation):
    """What to change; a missing key stays as it is, a phone of null is removed. Contacts need a confirmation."""

    email: Email | None = None
    phone: Phone | None = None
    name: Name | None = None

    @model_validator(mode="after")
    def _has_email(self) -> "ProfileChange":
        if "email" in self.model_fields_set and self.email is None:
            raise ValueError("email: an account needs one")
        return self

    def applied_to(self, user: User) -> tuple[str | None, str | None, str]:
        """E-mail, phone and name after the change."""
        given = self.model_fields_set
        return (
            self.email if "email" in given else user.email,
            self.phone if "phone" in given else user.phone,
            self.name if self.name is not None else user.name,
        )


class Sent(BaseModel):
    """A code is on its way, if there is anybody to send it to. `expires_in`: seconds."""

    status: Literal["sent"] = "sent"
    expires_in: int = 600


def me_of(user: User, balance: int) -> Me:
    """The account as its owner sees it."""
    return Me(
        id=user.id,
        email=user.email,
        phone=user.phone,
        name=user.name,
        unique_code=user.unique_code,
        email_verified=user.email_verified_at is not None,
        phone_verified=user.phone_verified_at is not None,
        is_admin=user.is_admin,
        balance=balance,
    )


def router(runtime: PeopleRuntime) -> APIRouter:
    """The routes of one's own account, to be mounted under /api/v1."""
    routes = APIRouter(prefix="/auth", tags=["auth"])
    _add_account(routes, runtime)
    _add_erasing(routes, runtime)
    return routes


def _add_account(routes: APIRouter, runtime: PeopleRuntime) -> None:
    people = runtime.people
    signed_in, call = Depends(current_user(runtime)), Depends(calls(runtime))

    @routes.post("/register", status_code=201, responses=problem_responses(429))
    async def register(request: Request, body: Registration) -> Me:
        """Open an account. The answer is the same whoever else uses the e-mail or the phone."""
        user = await service.register(
            people,
            email=body.email,
            password=body.password,
            phone=body.phone,
            name=body.name,
            address=client_address(request),
            now=runtime.clock(),
        )
        return await _shown(runtime, user.id)

    @routes.get("/me", responses=problem_responses(401))
    async def me(user: AuthenticatedUser = signed_in) -> Me:
        """One's own account."""
        return await _shown(runtime, user.id)

    @routes.patch("/me", responses=problem_responses(400, 401, 403, 429))
    async def change_me(
        request: Request, body: ProfileChange, user: AuthenticatedUser = signed_in, call: Call = call
    ) -> Me:
        """Change one's own account; a changed contact needs the password and has to be proved again."""
        await service.change_profile(
            people,
            user.id,
            change=body.applied_to,
            is_confirmed=await _is_confirmed(runtime, request, user.id, body),
            language=call.language,
            now=call.now,
        )
        return await _shown(runtime, user.id)


def _add_erasing(routes: APIRouter, runtime: PeopleRuntime) -> None:
    people = runtime.people
    signed_in = Depends(current_user(runtime))

    @routes.delete("/me", status_code=204, responses=problem_responses(400, 401, 403, 409, 429))
    async def erase_me(
        request: Request,
        token: Annotated[str | None, Depends(bearer_token)] = None,
        body: Annotated[Confirmation | None, Body()] = None,
    ) -> None:
        """Erase one's own account, by the password: it can't be undone, and bookings lose all personal data."""
        session = await people.auth.session_of(token, now=runtime.clock()) if token else None
        if session is None:
            if token is not None and await _was_erased(runtime, token):
                return  # a repetition: the first answer was lost
            raise _not_signed_in()
        user_id = session.user.id
        try:
            if not await _is_confirmed(runtime, request, user_id, body or Confirmation()):
                async with runtime.pool.connection() as conn:
                    own = await store.read_user(conn, user_id)
                assert own is not None, "signed in"
                raise service.not_confirmed(own)
        except ProblemError:
            if token is not None and await _was_erased(runtime, token):
                return  # another press of the same button has erased it meanwhile
            raise
        await erase_service.erase_oneself(people, user_id, now=runtime.clock())

    @routes.get("/me/export", responses=problem_responses(401))
    async def export_me(response: Response, user: AuthenticatedUser = signed_in) -> Exported:
        """Everything that is held about oneself."""
        response.headers["Content-Disposition"] = 'attachment; filename="zerkalo.json"'
        response.headers["Cache-Control"] = "no-store"
        async with runtime.pool.connection() as conn:
            own = await store.read_user(conn, user.id)
            assert own is not None, "signed in"
            return await export_user(conn, own, email_counts_alone=people.email_counts_alone)


async def _shown(runtime: PeopleRuntime, user_id: int) -> Me:
    async with runtime.pool.connection() as conn:
        user = await store.read_user(conn, user_id)
        if user is None or user.erased_at is not None:
            raise _not_signed_in()
        return me_of(user, await ledger.read_balance(conn, user_id))


async def _is_confirmed(runtime: PeopleRuntime, request: Request, user_id: int, given: Confirmation) -> bool:
    return await proof_service.confirm_owner(
        runtime.people,
        user_id,
        password=given.password,
        code=given.code,
        address=client_address(request),
        now=runtime.clock(),
    )


async def _was_erased(runtime: PeopleRuntime, token: str) -> bool:
    claims = runtime.people.auth.claims_of(token, now=runtime.clock())
    if claims is None:
        return False
    async with runtime.pool.connection() as conn:
        own = await store.read_user(conn, claims.user_id)
    return own is not None and own.erased_at is not None and own.merged_into is None


def _not_signed_in() -> ProblemError:
    return ProblemError(401, "not_signed_in", "Sign in first.", {"WWW-Authenticate": "Bearer"})
