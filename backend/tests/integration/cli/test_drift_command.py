"""`zerkalo drift` as it is typed: a line for each booking, card and balance that differs, and how it ends."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.integration.processes.test_sync_processes import as_url
from tests.support.application import COMPANY_ID, Application, running_application
from tests.support.rows import add_user
from yclients_emulator import desk
from zerkalo.cli.main import main
from zerkalo.settings import SETTING_NAMES

pytestmark = pytest.mark.integration

FIELD = "zerkalo_points"


@dataclass
class Command:
    """A salon that is synced, the records of two people in it, and the command beside it."""

    salon: Application
    capsys: pytest.CaptureFixture[str]
    coming: int
    past: int

    async def drift(self, *words: str) -> tuple[int, str, str]:
        """Exit code, what was printed, what was complained of."""
        self.capsys.readouterr()

        def run() -> object:
            try:
                main(["drift", *words])
            except SystemExit as end:
                return end.code

        code = await asyncio.to_thread(run)
        assert isinstance(code, int)
        out, err = self.capsys.readouterr()
        return code, out, err

    def client_of(self, record_id: int) -> int:
        client_id = self.salon.emulator.vendor.record(record_id).client_id
        assert client_id is not None
        return client_id


@pytest.fixture
async def command(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> AsyncIterator[Command]:
    async with running_application(dsn, tmp_path) as salon:
        today = salon.emulator.now().replace(tzinfo=None, microsecond=0)
        coming, past = (
            desk.create(
                salon.emulator,
                company_id=COMPANY_ID,
                staff_id=next(iter(salon.emulator.vendor.staff)),
                date=today + timedelta(days=days),
                phone=phone,
                name="Анна",
                seance_seconds=3600,
            ).id
            for days, phone in ((50, "79990000001"), (-200, "79990000002"))
        )
        runs = salon.runtime.runs
        await runs.open_or_join(COMPANY_ID)
        await runs.carry(COMPANY_ID)
        for name in SETTING_NAMES:
            monkeypatch.delenv(name, raising=False)
        for name, text in {
            "DATABASE_URL": as_url(dsn),
            "SECRET_KEY": salon.settings.secret_key or "",
            "YCLIENTS_ENABLED": "True",
            "YCLIENTS_API_URL": salon.emulator_url,
            "YCLIENTS_PARTNER_TOKEN": salon.settings.yclients_partner_token or "",
            "YCLIENTS_USER_TOKEN": salon.settings.yclients_user_token or "",
            "YCLIENTS_COMPANY_ID": str(COMPANY_ID),
            "YCLIENTS_REQUESTS_PER_SECOND": "1000",
            "YCLIENTS_REQUESTS_PER_MINUTE": "60000",
        }.items():
            monkeypatch.setenv(name, text)
        monkeypatch.chdir(tmp_path)
        yield Command(salon, capsys, coming, past)


async def test_where_nothing_differs_it_says_so_and_ends_with_0(command: Command) -> None:
    code, out, err = await command.drift()

    (count,) = await command.salon.fetch("select fetched as n from sync_runs")
    assert (code, out) == (0, f"{count['n']} records compared, no difference\n"), err
    assert f"company {COMPANY_ID}: {count['n']} compared so far" in err


async def test_a_card_that_differs_is_a_line_and_it_ends_with_1(command: Command) -> None:
    desk.set_client_phone(command.salon.emulator, command.coming, "79990000003")

    code, out, err = await command.drift("--company", str(COMPANY_ID))

    assert (code, out) == (1, f"company {COMPANY_ID} record {command.coming}: phone, card's phone\n")
    assert err.splitlines()[-1].startswith("zerkalo drift: 1 of ")
    assert "`zerkalo sync` should mend them" in err
    assert "79990000003" not in out + err


async def test_what_only_a_full_sync_owes_is_a_line_and_no_failure(command: Command) -> None:
    desk.set_client_phone(command.salon.emulator, command.past, "79990000004")

    code, out, _ = await command.drift()

    listed, owed, last = out.splitlines()
    assert code == 0
    assert listed.startswith(
        f"company {COMPANY_ID} record {command.past}: phone, card's phone (before the window"
    )
    assert owed == "1 cards or phones differ on visits before the window; `zerkalo sync --full` reads them"
    assert last.endswith("records compared, no difference")


async def test_a_balance_that_a_card_shows_otherwise_is_a_line_until_it_shows_it(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    client_id = command.client_of(command.coming)
    async with command.salon.runtime.pool.connection() as conn:
        user_id = await add_user(conn)
        await conn.execute(
            "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
            " values (%s, 10, 'adjustment', 'gift', now(), now())",
            [user_id],
        )
        await conn.execute(
            "insert into card_balances (company_id, client_id, user_id, balance) values (%s, %s, %s, 10)",
            [COMPANY_ID, client_id, user_id],
        )
    assert (await command.drift())[0] == 0, "without the setting no card is asked for"
    monkeypatch.setenv("YCLIENTS_BALANCE_FIELD", FIELD)

    code, out, err = await command.drift()

    line = f"company {COMPANY_ID} client {client_id}: the card shows no points, the ledger has 10\n"
    assert (code, out) == (1, line)
    told = "zerkalo drift: 1 cards show another balance; it is written again when the points move or a visit comes to another client"
    assert err.splitlines()[-1] == told
    vendor = command.salon.emulator.vendor
    vendor.clients[client_id] = replace(vendor.clients[client_id], custom_fields={FIELD: "10"})
    assert (await command.drift())[0] == 0


@pytest.mark.parametrize(("words", "code"), [(["--company", "5"], 1), (["--company", "five"], 2)])
async def test_a_company_that_is_none_of_ours_is_refused(
    command: Command, words: list[str], code: int
) -> None:
    told, out, err = await command.drift(*words)

    assert (told, out) == (code, "")
    assert "company" in err
