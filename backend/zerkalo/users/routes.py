"""`/auth/register`, `/auth/me`, `/auth/password…`, `/auth/verify/…`: one's own account."""

from typing import Annotated, Literal, Protocol

from fastapi import APIRouter, Body, Depends, Header, Request, Response
from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from zerkalo.auth.dependencies import AuthRuntime, bearer_token, client_address, current_user
from zerkalo.auth.model import AuthenticatedUser
from zerkalo.auth.routes import Tokens, tokens_of
from zerkalo.auth.rules import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN
from zerkalo.db.pool import Connection
from zerkalo.kit.contact import canonical_email
from zerkalo.kit.language import language_of
from zerkalo.kit.phone import normalise_phone
from zerkalo.kit.problem import ProblemError
from zerkalo.kit.problem_docs import problem_responses
from zerkalo.kit.text import storable_text
from zerkalo.outbox.model import Channel
from zerkalo.users import service, store
from zerkalo.users.erasing import service as erase_service
from zerkalo.users.exporting.service import Exported, export_user
from zerkalo.users.model import User
from zerkalo.users.proving import service as proof_service
from zerkalo.users.proving.model import Contact
from zerkalo.users.resetting import service as resetting
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
ChannelName = Literal["email", "phone"]
AcceptLanguage = Annotated[str | None, Header(alias="Accept-Language")]


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
    """That it is the account's owner who asks: the password or, where the account has none, a fresh code."""

    password: Password | None = None
    code: Code | None = None


class ProfileChange(Confirmation):
    """What to change; a key that is missing stays, a phone of null is taken out. Contacts take a confirmation."""

    email: Email | None = None
    phone: Phone | None = None
    name: Name | None = None

    @model_validator(mode="after")
    def _has_email(self) -> "ProfileChange":
        if "email" in self.model_fields_set and self.email is None:
            raise ValueError("email: an account needs one")
        return self


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


class VerificationRequest(BaseModel):
    """Which contact to prove."""

    channel: ChannelName


class VerificationConfirmation(VerificationRequest):
    """The code that came."""

    code: Code


class Sent(BaseModel):
    """A code is on its way, if there is anybody to send it to. `expires_in`: seconds."""

    status: Literal["sent"] = "sent"
    expires_in: int = 600


async def me_of(conn: Connection, user: User) -> Me:
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
        balance=await store.balance_of(conn, user.id),
    )


def router(runtime: PeopleRuntime) -> APIRouter:
    """The routes of one's own account, to be mounted under /api/v1."""
    routes = APIRouter(prefix="/auth", tags=["auth"])
    _add_account(routes, runtime)
    _add_passwords(routes, runtime)
    _add_verification(routes, runtime)
    return routes


def _add_account(routes: APIRouter, runtime: PeopleRuntime) -> None:
    people = runtime.people
    signed_in = Depends(current_user(runtime))

    async def shown(user_id: int) -> Me:
        async with runtime.pool.connection() as conn:
            user = await store.read_user(conn, user_id)
            if user is None or user.erased_at is not None:
                raise ProblemError(401, "not_signed_in", "Sign in first.", {"WWW-Authenticate": "Bearer"})
            return await me_of(conn, user)

    @routes.post("/register", status_code=201, responses=problem_responses(429))
    async def register(request: Request, body: Registration) -> Me:
        """Opens an account. The answer is the same whoever else uses the e-mail or the phone."""
        user = await service.register(
            people,
            email=body.email,
            password=body.password,
            phone=body.phone,
            name=body.name,
            address=client_address(request),
            now=runtime.clock(),
        )
        return await shown(user.id)

    @routes.get("/me", responses=problem_responses(401))
    async def me(user: AuthenticatedUser = signed_in) -> Me:
        """One's own account."""
        return await shown(user.id)

    async def confirmed(request: Request, user_id: int, given: Confirmation) -> bool:
        return await proof_service.confirm_owner(
            people,
            user_id,
            password=given.password,
            code=given.code,
            address=client_address(request),
            now=runtime.clock(),
        )

    @routes.patch("/me", responses=problem_responses(400, 401, 403, 429))
    async def change_me(
        request: Request,
        body: ProfileChange,
        user: AuthenticatedUser = signed_in,
        accept_language: AcceptLanguage = None,
    ) -> Me:
        """Change one's own account; a contact that changes takes the password and has to be proved again."""
        given = body.model_fields_set
        is_confirmed = await confirmed(request, user.id, body)

        def change(now_is: User) -> tuple[str | None, str | None, str]:
            return (
                body.email if "email" in given else now_is.email,
                body.phone if "phone" in given else now_is.phone,
                body.name if body.name is not None else now_is.name,
            )

        await service.change_profile(
            people,
            user.id,
            change=change,
            is_confirmed=is_confirmed,
            language=language_of(accept_language),
            now=runtime.clock(),
        )
        return await shown(user.id)

    @routes.delete("/me", status_code=204, responses=problem_responses(400, 401, 403, 409, 429))
    async def erase_me(
        request: Request,
        token: Annotated[str | None, Depends(bearer_token)] = None,
        body: Annotated[Confirmation | None, Body()] = None,
    ) -> None:
        """Erase oneself, with one's password: the account goes, one's bookings lose what names one. For good."""
        session = await people.auth.session_of(token, now=runtime.clock()) if token else None
        if session is None:
            if token is not None and await was_erased(token):
                return  # asked again: the first answer was lost
            raise ProblemError(401, "not_signed_in", "Sign in first.", {"WWW-Authenticate": "Bearer"})
        user = session.user
        if not await confirmed(request, user.id, body or Confirmation()):
            async with runtime.pool.connection() as conn:
                own = await store.read_user(conn, user.id)
            assert own is not None, "signed in"
            raise service.not_confirmed(own)
        await erase_service.erase_oneself(people, user.id, now=runtime.clock())

    async def was_erased(token: str) -> bool:
        claims = people.auth.claims_of(token, now=runtime.clock())
        if claims is None:
            return False
        async with runtime.pool.connection() as conn:
            own = await store.read_user(conn, claims.user_id)
        return own is not None and own.erased_at is not None and own.merged_into is None

    @routes.get("/me/export", responses=problem_responses(401))
    async def export_me(response: Response, user: AuthenticatedUser = signed_in) -> Exported:
        """Everything that is held about oneself."""
        response.headers["Content-Disposition"] = 'attachment; filename="zerkalo.json"'
        response.headers["Cache-Control"] = "no-store"
        async with runtime.pool.connection() as conn:
            own = await store.read_user(conn, user.id)
            assert own is not None, "she has just been seen"
            return await export_user(conn, own)


def _add_passwords(routes: APIRouter, runtime: PeopleRuntime) -> None:
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
        """Sends a code to a proved contact. The answer is the same where there is none."""
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
        """Sets a new password by the code and ends every session."""
        await resetting.confirm_reset(
            people,
            body.contact,
            body.code,
            body.password,
            address=client_address(request),
            now=runtime.clock(),
        )


def _add_verification(routes: APIRouter, runtime: PeopleRuntime) -> None:
    people = runtime.people
    signed_in = Depends(current_user(runtime))

    @routes.post("/verify/request", status_code=202, responses=problem_responses(401, 409, 429))
    async def request_verification(
        request: Request,
        body: VerificationRequest,
        user: AuthenticatedUser = signed_in,
        accept_language: AcceptLanguage = None,
    ) -> Sent:
        """Sends a code to one's own e-mail or phone."""
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
