"""`/auth/code/…`: signing in by a code sent to a contact."""

from fastapi import APIRouter, Depends, Response
from pydantic import StrictBool

from zerkalo.auth.model import Tokens
from zerkalo.kit.problem import problem_responses
from zerkalo.users.entering import service as entering
from zerkalo.users.routes import Call, Code, Name, NamedContact, PeopleRuntime, Sent, calls


class CodeLogIn(NamedContact):
    """The contact and the code sent to it; `new_account` creates an account where the code opens none."""

    code: Code
    new_account: StrictBool = False
    name: Name = ""
    """Of the new account."""


def router(runtime: PeopleRuntime) -> APIRouter:
    """The routes of signing in by a code, to be mounted under /api/v1."""
    routes = APIRouter(prefix="/auth", tags=["auth"])
    people, call = runtime.people, Depends(calls(runtime))

    @routes.post("/code/request", status_code=202, responses=problem_responses(409, 429))
    async def request_log_in_code(body: NamedContact, call: Call = call) -> Sent:
        """Send a code to sign in with. The answer and what is done are the same whether or not anybody has the contact."""
        await entering.request_code(
            people, body.contact, language=call.language, address=call.address, now=call.now
        )
        return Sent()

    @routes.post("/code/confirm", responses=problem_responses(400, 409, 429))
    async def log_in_by_code(response: Response, body: CodeLogIn, call: Call = call) -> Tokens:
        """Sign in by the code. After the right one, 409 `no_account` or `account_exists` says that it opens no account."""
        response.headers["Cache-Control"] = "no-store"
        return await entering.enter(
            people,
            body.contact,
            body.code,
            new_account=body.new_account,
            name=body.name,
            language=call.language,
            address=call.address,
            now=call.now,
        )

    return routes
