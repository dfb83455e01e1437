"""`zerkalo replay`: apply stored deliveries again."""

from typing import Annotated

import typer

from zerkalo.cli.shared.companies import log_warnings
from zerkalo.cli.shared.failure import CommandFailed
from zerkalo.composition import command_parts
from zerkalo.mirror.model import OutcomeStatus
from zerkalo.webhook.replaying.service import Replay, Replayed


async def replay(
    event: Annotated[
        int | None, typer.Option(help="The number of one delivery, as the admin page shows it.")
    ] = None,
    quarantined: Annotated[bool, typer.Option("--quarantined", help="Every delivery in quarantine.")] = False,
) -> None:
    """Apply stored deliveries again, as if they had just arrived. Exits 1 where one still can't be understood."""
    if (event is None) == (not quarantined):
        raise typer.BadParameter("give --event ID or --quarantined", param_hint="replay")
    refused = taken = 0
    async with command_parts() as parts:
        log_warnings(parts.settings)
        again = Replay(parts.pool, parts.clock, parts.applier, parts.settings.yclients_company_ids)
        if event is not None:
            replayed = await again.one(event)
            if replayed is None:
                raise CommandFailed(f"there is no delivery {event}; it may be older than INBOX_DAYS")
            _tell(replayed)
            taken, refused = 1, _is_refused(replayed)
        else:
            async for replayed in again.quarantined():
                _tell(replayed)
                taken, refused = taken + 1, refused + _is_refused(replayed)
    if refused:
        raise CommandFailed(f"{refused} of {taken} could still not be understood; the reasons are above")
    print(f"{taken} replayed")


def _tell(replayed: Replayed) -> None:
    outcome = replayed.outcome
    reason = f": {outcome.reason}" if outcome.reason else ""
    print(f"delivery {replayed.delivery_id}: {outcome.status}{reason}", flush=True)


def _is_refused(replayed: Replayed) -> bool:
    return replayed.outcome.status is OutcomeStatus.QUARANTINED
