"""What must hold in the end: nothing acknowledged is lost, the mirror is YCLIENTS's, nobody is left running."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from datetime import datetime

import psutil

from tests.chaos.acts import DRAIN_SECONDS_MAX
from tests.chaos.charges import marked
from tests.chaos.stage import COMPANY_ID, PERCENT, Stage

SETTLE_SECONDS_MAX = 60
NUMBER = r"""substring(convert_from(body, 'UTF8') from '^\{"call":(\d+),')::bigint"""
SHOWN_MAX = 5


async def lost(stage: Stage) -> list[str]:
    """Every call answered 200 has its row in the inbox, once, with the outcome that was told; lines for those without.

    Of an ignored call the envelope is kept and not its number: those are counted by their record.
    """
    acknowledged = dict(stage.load.acknowledged)  # before the question: the load goes on meanwhile
    rows = await stage.ask(
        f"select {NUMBER}, outcome, resource_id from deliveries where body like '{{\"call%%' or outcome = 'ignored'"
    )
    ignored = Counter[int](record_id for _, outcome, record_id in rows if outcome == "ignored")
    told_ignored = Counter(told.record_id for told in acknowledged.values() if told.status == "ignored")
    kept: dict[int, tuple[str, int]] = {}
    found = [
        f"{count} calls about record {record_id} were answered 200 ignored and {ignored[record_id]} are in the inbox"
        for record_id, count in told_ignored.items()
        if count > ignored[record_id]
    ]
    found += [
        f"of record {record_id} {count} ignored calls are in the inbox and {stage.load.sent[record_id]} were sent"
        for record_id, count in ignored.items()
        if count > stage.load.sent[record_id]
    ]
    for number, outcome, record_id in rows:
        if outcome == "ignored":
            continue
        if number in kept:
            found.append(f"call {number} stands twice in the inbox")
        kept[number] = (outcome, record_id)
    for number, told in acknowledged.items():
        if told.status == "ignored":
            continue
        if number not in kept:
            found.append(f"call {number} was answered 200 {told.status} and is not in the inbox")
        elif kept[number] != (told.status, told.record_id):
            found.append(f"call {number} was answered {told.status} and did {kept[number]}")
    return found


async def behind(stage: Stage) -> list[str]:
    """Every record of an acknowledged call stands at that call's version or a later one, before any further sync.

    A break in the journal is no booking and has no row.
    """
    records = stage.emulator.vendor.records[COMPANY_ID]
    breaks = {one.id for one in records.values() if not one.lines and one.client_id is None}
    newest: dict[int, datetime] = {}
    for told in stage.load.acknowledged.values():
        if told.version is not None and told.status != "ignored":
            newest[told.record_id] = max(told.version, newest.get(told.record_id, told.version))
    sql = "select yclients_record_id, vendor_changed_at from bookings where company_id = %s"
    rows = dict[int, datetime](await stage.ask(sql, COMPANY_ID))
    return [
        f"record {record_id} was told at {version} and stands at {rows.get(record_id)}"
        for record_id, version in newest.items()
        if (rows[record_id] < version if record_id in rows else record_id not in breaks)
    ]


async def unearned(stage: Stage) -> list[str]:
    """The entries of every booking sum to what its state earns."""
    rows = await stage.ask(
        "select b.id, b.earned, coalesce(sum(e.amount), 0) from (select id, case when status = 'COMPLETED' and"
        " user_id is not null then service_price * %s / 10000 else 0 end as earned from bookings) b"
        " left join bonus_entries e on e.booking_id = b.id group by b.id, b.earned"
        " having b.earned <> coalesce(sum(e.amount), 0)",
        PERCENT,
    )
    return [f"booking {id_} earns {earned} points and has {has}" for id_, earned, has in rows]


async def unsettled(stage: Stage) -> list[str]:
    """Wait until no question to YCLIENTS is open any more."""
    try:
        async with asyncio.timeout(SETTLE_SECONDS_MAX):
            while await stage.ask("select from refetches limit 1"):
                await asyncio.sleep(0.5)
    except TimeoutError:
        return [f"questions to YCLIENTS are still open after {SETTLE_SECONDS_MAX} s"]
    return []


async def drifting(stage: Stage) -> list[str]:
    """After a sync nothing differs from YCLIENTS, and a second sync writes nothing."""
    found: list[str] = []
    for words in (["sync"], ["drift"], ["sync"]):
        code, said = await stage.command(*words)
        if code != 0:
            found.append(f"`zerkalo {words[0]}` exits {code}: {said.strip()[-500:]}")
    ((created, updated, cancelled, fetched),) = await stage.ask(
        "select created, updated, cancelled, fetched from sync_runs where status = 'finished' order by id desc limit 1"
    )
    if (created, updated, cancelled) != (0, 0, 0) or not fetched:
        found.append(f"the second sync wrote: {created} created, {updated} updated, {cancelled} cancelled")
    return found


async def left_over(stage: Stage) -> list[str]:
    """End everything in order; lines for what did not end in time and for whoever is still there."""
    found: list[str] = []
    ours = [*stage.servers.values(), *stage.workers]
    endings = await asyncio.gather(*(one.stop(signal.SIGTERM, seconds_max=DRAIN_SECONDS_MAX) for one in ours))
    found += [
        f"{one.name} ended with {code} after {seconds:.1f} s"
        for one, (code, seconds) in zip(ours, endings, strict=True)
        if code != 0
    ]
    await stage.database.charge.stop(signal.SIGINT, seconds_max=20)
    _, alive = await asyncio.to_thread(psutil.wait_procs, marked(stage.mark), 5)
    return found + [f"process {process.pid} is left: {process.name()}" for process in alive]


async def verdict(stage: Stage) -> AsyncIterator[tuple[str, list[str]]]:
    """Yields each promise with the lines that break it. The load must be off, its last calls answered."""
    yield "no answer but 200 and 503 with Retry-After, each in time", stage.load.wrong
    yield "acknowledged deliveries lost", await lost(stage)
    yield "questions left open", await unsettled(stage)
    yield "bookings behind what was acknowledged", await behind(stage)
    yield "bookings whose points are not what they earn", await unearned(stage)
    yield "differences from YCLIENTS after a sync", await drifting(stage)
    yield "processes that did not end in order", await left_over(stage)
