"""`zerkalo drift`: compare the database with YCLIENTS. Exits 1 where they differ."""

import sys
from typing import Annotated

import typer

from zerkalo.cli.shared.companies import chosen_companies, log_warnings
from zerkalo.cli.shared.failure import CommandFailed
from zerkalo.composition import command_parts
from zerkalo.mirror.balances.service import balance_differences
from zerkalo.runs.drift.service import Drift


async def drift(company: Annotated[int | None, typer.Option(help="Only this company.")] = None) -> None:
    """Read everything from YCLIENTS and print a line for each booking, card and balance that differs."""
    differences = balances = compared = old = 0
    async with command_parts() as parts:
        company_ids = chosen_companies(parts.settings, company)
        log_warnings(parts.settings)
        for company_id in company_ids:
            async for found in Drift(parts.sync, company_id).slices():
                compared += found.compared
                owed = sum(one.is_owed for one in found.differences)
                differences, old = differences + owed, old + len(found.differences) - owed
                for difference in found.differences:
                    print(difference, flush=True)
                print(f"company {company_id}: {compared} compared so far", file=sys.stderr)
            if (field := parts.settings.yclients_balance_field) is not None:
                async for client_id, what in balance_differences(parts.pool, parts.client, field, company_id):
                    balances += 1
                    print(f"company {company_id} client {client_id}: {what}", flush=True)
    if old:
        print(f"{old} cards or phones differ on visits before the window; `zerkalo sync --full` reads them")
    failed: list[str] = []
    if differences:
        failed.append(f"{differences} of {compared} records differ; `zerkalo sync` should mend them")
    if balances:
        failed.append(
            f"{balances} cards show another balance; it is written again when the points move or a visit comes to another client"
        )
    if failed:
        raise CommandFailed("; ".join(failed))
    print(f"{compared} records compared, no difference")
