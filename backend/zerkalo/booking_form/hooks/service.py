"""A branch's webhook settings for the admin: read, extended by our address, tested; never overwritten."""

import hashlib
from collections.abc import Awaitable, Callable

import msgspec

from zerkalo.booking_form.model import HookPlan, HookState
from zerkalo.booking_form.offering.service import Offers
from zerkalo.booking_form.rules import vendor_problem
from zerkalo.inbox.model import TEST_RESOURCE
from zerkalo.kit.problem import ProblemError
from zerkalo.yclients.client import YclientsClient
from zerkalo.yclients.edits import HOOK_URLS_MAX, added_hook
from zerkalo.yclients.errors import AccessDenied, VendorError
from zerkalo.yclients.model import HookChange, HooksSettings

Post = Callable[[str, bytes], Awaitable[int | None]]
"""Posts JSON to an address as YCLIENTS would; the status, None where nobody answered."""


class Hooks:
    """Reads and extends the webhook settings of a branch. For admins."""

    def __init__(self, client: YclientsClient, offers: Offers, url: str, post: Post) -> None:
        self._client = client
        self._offers = offers
        self._url = url
        self._post = post

    async def hook_state(self, company_id: int) -> HookState:
        """Whether the branch's settings include our address. Raises 403 `hooks_not_allowed` for the token's rights, 503."""
        company = self._offers.company_of(company_id)
        return self._state_of(company, await self._read(company))

    async def plan_hook(self, company_id: int) -> HookPlan | None:
        """What `install_hook` would change; None where nothing is missing. Raises as `hook_state` does, 409 `hooks_full`."""
        company = self._offers.company_of(company_id)
        found = await self._read(company)
        change = self._change_of(found)
        if change is None:
            return None
        others = sum(url != self._url for url in found.urls)
        return HookPlan(company, change.adds_url, others, change.turned_on, _name_of(found))

    async def install_hook(self, company_id: int, *, seen: str) -> HookState:
        """Add our address to the branch's settings, as planned by `plan_hook`: read them, add to them, write them back.

        Other integrations' addresses stay. Writes nothing where nothing is missing. Raises as `plan_hook` does, and 409
        `hooks_changed` where the settings have changed since the plan (its `seen`).
        """
        company = self._offers.company_of(company_id)
        found = await self._read(company)
        change = self._change_of(found)
        if change is None:
            return self._state_of(company, found)
        if _name_of(found) != seen:
            raise ProblemError(
                409,
                "hooks_changed",
                "The webhook settings have just been changed. Look at the change once more.",
            )
        try:
            await self._client.write_hooks(company, change)
        except VendorError as error:
            raise _problem(error) from None
        return await self.hook_state(company)

    async def test_hook(self, company_id: int) -> bool:
        """Send a harmless event to our address in the branch's settings; return whether it arrived.

        That tests the way from outside: the address, the proxy, the secret. Raises 409
        `hook_not_set_up` where YCLIENTS would not call us at all, else as `hook_state` does.
        """
        state = await self.hook_state(company_id)
        if not state.is_set_up:
            raise ProblemError(
                409, "hook_not_set_up", "The branch's webhook settings do not name this address yet."
            )
        body: dict[str, object] = {
            "company_id": state.company_id,
            "resource": TEST_RESOURCE,
            "resource_id": 0,
            "status": "update",
            "data": [],
        }
        return await self._post(state.url, msgspec.json.encode(body)) == 200

    async def _read(self, company: int) -> HooksSettings:
        try:
            return await self._client.hooks_settings(company, kind="interactive")
        except VendorError as error:
            raise _problem(error) from None

    def _state_of(self, company: int, found: HooksSettings) -> HookState:
        own = found.of(self._url)
        is_active = bool(own.get("active") and own.get("record"))
        others = sum(url != self._url for url in found.urls)
        return HookState(company, self._url, self._url in found.urls, is_active, others)

    def _change_of(self, found: HooksSettings) -> HookChange | None:
        change = added_hook(found, self._url)
        if change is not None and len(change.body["urls"]) > HOOK_URLS_MAX:
            raise ProblemError(
                409,
                "hooks_full",
                f"The branch has {HOOK_URLS_MAX} addresses already: remove one in YCLIENTS first.",
            )
        return change


def _name_of(found: HooksSettings) -> str:
    """A digest that identifies these settings without revealing them."""
    return hashlib.sha256(msgspec.json.encode(found, order="sorted")).hexdigest()[:32]


def _problem(error: VendorError) -> ProblemError:
    if isinstance(error, AccessDenied):
        return ProblemError(
            403,
            "hooks_not_allowed",
            "The user token may not see the webhook settings: give its user that right, or paste the address by hand.",
        )
    return vendor_problem(error)
