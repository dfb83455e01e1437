"""The branch's webhook settings: added to, never overwritten; a test goes to the very address that stands there."""

from typing import Any

import pytest
from msgspec import structs

from tests.support.emulator import TOKENS, caller
from tests.support.form import HOOK_URL, FormSalon, open_form
from tests.support.sync import COMPANY_ID
from yclients_emulator import EmulatorSettings
from zerkalo.booking_form.hooks.service import Hooks
from zerkalo.booking_form.model import HookState
from zerkalo.db.pool import Pool
from zerkalo.kit.problem import ProblemError

pytestmark = pytest.mark.integration

OTHERS = ("https://crm.example.com/hook?key=theirs", "https://bot.example.com/in")


async def install(salon: FormSalon) -> HookState:
    """Look at the change, and make it."""
    plan = await salon.form.hooks.plan_hook(COMPANY_ID)
    return await salon.form.hooks.install_hook(COMPANY_ID, seen=plan.seen if plan else "")


async def settings_of(salon: FormSalon) -> dict[str, Any]:
    async with caller(salon.salon.emulator, TOKENS) as yclients:
        return (await yclients.get(f"hooks_settings/{COMPANY_ID}")).json()["data"]


def posts(salon: FormSalon) -> int:
    return sum(one.method == "POST" for one in salon.salon.emulator.requests)


async def test_ours_is_added_and_everything_else_stays(pool: Pool) -> None:
    async with open_form(pool) as salon, caller(salon.salon.emulator, TOKENS) as yclients:
        theirs = {"urls": list(OTHERS), "active": 1, "client": 1, "service": 1, "record": 0}
        await yclients.post(f"hooks_settings/{COMPANY_ID}", json=theirs)
        before = await settings_of(salon)

        was = await salon.form.hooks.hook_state(COMPANY_ID)
        now = await install(salon)
        again = await install(salon)

        assert await settings_of(salon) == before | {"urls": [*OTHERS, HOOK_URL], "record": 1}
        assert (was.is_set_up, was.is_listed, was.other_urls) == (False, False, 2)
        assert now == again
        assert (now.is_set_up, now.url, now.other_urls) == (True, HOOK_URL, 2)
        assert not any(url in repr(now) for url in OTHERS)
        assert posts(salon) == 2, "theirs, and ours once"


def each_with_its_own(salon: FormSalon) -> None:
    """The newer shape: every address has flags of its own; those on top are the first one's."""
    emulator = salon.salon.emulator
    hooks = emulator.set_hooks(COMPANY_ID, [OTHERS[0], HOOK_URL, OTHERS[1]])
    emulator.vendor.hooks[COMPANY_ID] = structs.replace(
        hooks,
        by_url={
            OTHERS[0]: {"active": 1, "record": 1, "client": 1},
            HOOK_URL: {"active": 1, "client": 1},
            OTHERS[1]: {"active": 1, "good": 1},
        },
    )


NEWER = EmulatorSettings(rate_limit=False, tells_url_settings=True)


async def test_the_flags_of_the_first_address_are_not_taken_for_ours(pool: Pool) -> None:
    """Before: "all is set up", while records were told to somebody else only."""
    async with open_form(pool, settings=NEWER) as salon:
        each_with_its_own(salon)

        state = await salon.form.hooks.hook_state(COMPANY_ID)

        assert (state.is_listed, state.is_active, state.other_urls) == (True, False, 2)


async def test_the_change_is_shown_before_it_is_made_and_nobody_is_told_less(pool: Pool) -> None:
    async with open_form(pool, settings=NEWER) as salon:
        each_with_its_own(salon)

        plan = await salon.form.hooks.plan_hook(COMPANY_ID)
        assert posts(salon) == 0
        state = await install(salon)

        assert plan is not None
        assert (plan.adds_url, plan.other_urls) == (False, 2)
        assert set(plan.turned_on) == {"record", "client", "good"}
        assert state.is_set_up
        after = await settings_of(salon)
        assert after["urls"] == [OTHERS[0], HOOK_URL, OTHERS[1]]
        for flags in after["url_settings"]:
            assert {name for name, value in flags.items() if value == 1} == {
                "active",
                "record",
                "client",
                "good",
            }


async def test_what_was_changed_since_it_was_shown_is_shown_anew(pool: Pool) -> None:
    async with open_form(pool) as salon:
        plan = await salon.form.hooks.plan_hook(COMPANY_ID)
        assert plan is not None
        salon.salon.emulator.set_hooks(COMPANY_ID, [OTHERS[0]], client=1)

        with pytest.raises(ProblemError) as changed:
            await salon.form.hooks.install_hook(COMPANY_ID, seen=plan.seen)

        assert (changed.value.status, changed.value.code) == (409, "hooks_changed")
        assert posts(salon) == 0
        assert (await install(salon)).other_urls == 1


async def test_a_full_list_is_not_cut(pool: Pool) -> None:
    async with open_form(pool) as salon:
        salon.salon.emulator.set_hooks(COMPANY_ID, [f"https://{n}.example.com" for n in range(10)])

        with pytest.raises(ProblemError) as full:
            await install(salon)

        assert (full.value.status, full.value.code) == (409, "hooks_full")
        assert posts(salon) == 0


async def test_a_token_without_the_right_is_told(pool: Pool) -> None:
    async with open_form(pool) as salon:
        salon.fail("forbidden", "^/hooks_settings/", times=3)
        hooks = salon.form.hooks

        for call in (
            hooks.hook_state(COMPANY_ID),
            hooks.plan_hook(COMPANY_ID),
            hooks.install_hook(COMPANY_ID, seen=""),
        ):
            with pytest.raises(ProblemError) as refused:
                await call
            assert (refused.value.status, refused.value.code) == (403, "hooks_not_allowed")


async def test_a_test_is_sent_where_yclients_would_send(pool: Pool) -> None:
    async with open_form(pool) as salon:
        sent: list[tuple[str, bytes]] = []

        async def post(url: str, body: bytes) -> int | None:
            sent.append((url, body))
            return 200 if len(sent) == 1 else None

        hooks = Hooks(salon.salon.client, salon.form.offers, HOOK_URL, post)
        with pytest.raises(ProblemError) as missing:
            await hooks.test_hook(COMPANY_ID)
        await install(salon)
        answers = [await hooks.test_hook(COMPANY_ID) for _ in range(2)]

        assert missing.value.code == "hook_not_set_up"
        assert answers == [True, False]
        assert [url for url, _ in sent] == [HOOK_URL] * 2
        assert b'"resource":"zerkalo_test"' in sent[0][1]
