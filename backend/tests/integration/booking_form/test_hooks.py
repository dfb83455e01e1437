"""The branch's webhook settings: added to, never overwritten; a test goes to the very address that stands there."""

import pytest

from tests.support.emulator import TOKENS, caller
from tests.support.form import HOOK_URL, open_form
from tests.support.sync import COMPANY_ID
from zerkalo.booking_form.hooks import Hooks
from zerkalo.db.pool import Pool
from zerkalo.kit.problem import ProblemError

pytestmark = pytest.mark.integration

OTHERS = ("https://crm.example.com/hook?key=theirs", "https://bot.example.com/in")


async def test_ours_is_added_and_everything_else_stays(pool: Pool) -> None:
    async with open_form(pool) as salon, caller(salon.salon.emulator, TOKENS) as yclients:
        theirs = {"urls": list(OTHERS), "active": 1, "client": 1, "service": 1, "record": 0}
        await yclients.post(f"hooks_settings/{COMPANY_ID}", json=theirs)
        before = (await yclients.get(f"hooks_settings/{COMPANY_ID}")).json()["data"]

        was = await salon.form.hooks.hook_state(COMPANY_ID)
        now = await salon.form.hooks.install_hook(COMPANY_ID)
        again = await salon.form.hooks.install_hook(COMPANY_ID)

        after = (await yclients.get(f"hooks_settings/{COMPANY_ID}")).json()["data"]
        assert after == before | {"urls": [*OTHERS, HOOK_URL], "record": 1}
        assert (was.is_set_up, was.is_listed, was.other_urls) == (False, False, 2)
        assert now == again
        assert (now.is_set_up, now.url, now.other_urls) == (True, HOOK_URL, 2)
        assert not any(url in repr(now) for url in OTHERS)
        posts = [one for one in salon.salon.emulator.requests if one.method == "POST"]
        assert len(posts) == 2, "theirs, and ours once"


async def test_a_token_without_the_right_is_told(pool: Pool) -> None:
    async with open_form(pool) as salon:
        salon.fail("forbidden", "^/hooks_settings/", times=2)

        for call in (salon.form.hooks.hook_state, salon.form.hooks.install_hook):
            with pytest.raises(ProblemError) as refused:
                await call(COMPANY_ID)
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
        await hooks.install_hook(COMPANY_ID)
        answers = [await hooks.test_hook(COMPANY_ID) for _ in range(2)]

        assert missing.value.code == "hook_not_set_up"
        assert answers == [True, False]
        assert [url for url, _ in sent] == [HOOK_URL] * 2
        assert b'"resource":"zerkalo_test"' in sent[0][1]
