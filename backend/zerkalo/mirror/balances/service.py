"""Writing balances to cards, inside the rate limit, and comparing them."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

import structlog

from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.kit.backoff import Backoff
from zerkalo.kit.clock import Clock
from zerkalo.mirror.balances import store
from zerkalo.mirror.balances.model import CardBalance, Cards
from zerkalo.mirror.balances.rules import card_with_balance, shown_balance
from zerkalo.yclients.errors import AccessDenied, NotFound, RequestRefused, VendorError, is_of_one_record

BATCH = 10
ROUNDS_MAX = 6
"""Batches of one call, so that a sweep over thousands of clients leaves the rate limit to the sync."""
CLAIM_SPAN = timedelta(minutes=5)
PAUSE = Backoff(60, store.PAUSE_MAX.total_seconds())
_log = structlog.get_logger("zerkalo.balances")


async def write_balances(
    pool: Pool, cards: Cards, field: str, *, companies: Sequence[int], clock: Clock
) -> int:
    """Write the balances that have changed; return how many cards were written. Correct cards are not written.

    The balance is read when the card is claimed, so that ten movements are one request. A card that is gone, or whose
    content YCLIENTS refuses, is given up until its points move again. While YCLIENTS does not answer, all wait; so does a
    card that the token may not edit, which `check` counts, and its company's other cards wait for the next call.
    """
    count = 0
    refusing: set[int] = set()
    async with transaction(pool) as conn:
        await store.mark_moved(conn, companies=companies, now=clock())
    for _ in range(ROUNDS_MAX):
        now = clock()
        async with pool.connection() as conn:
            due = await store.claim_due(
                conn, now=now, until=now + CLAIM_SPAN, limit=BATCH, but_of=sorted(refusing)
            )
        for card in due:
            if card.company_id in refusing:
                async with pool.connection() as conn:
                    await store.release(conn, card)
                continue
            try:
                count += await _write(pool, cards, field, card, clock)
            except AccessDenied:
                # Of thousands of cards one a minute is asked about: the right may be missing for all of them.
                refusing.add(card.company_id)
        if len(due) < BATCH:
            break
    return count


async def _write(pool: Pool, cards: Cards, field: str, card: CardBalance, clock: Clock) -> bool:
    """Write one card and note how that went; whether it was written. Raises `AccessDenied`, noted too."""
    error: str | None = None
    is_written = False
    try:
        found = await cards.client_card(card.company_id, card.client_id)
        if shown_balance(found, field) != str(card.balance):
            body = card_with_balance(found, field, card.balance)
            await cards.write_client_card(card.company_id, card.client_id, body)
            is_written = True
    except VendorError as refused:
        is_final = isinstance(refused, NotFound | RequestRefused)
        error = type(refused).__name__ if is_final or is_of_one_record(refused) else None
        if error is not None and card.attempts == 1:
            _log.warning("a balance can't be written", client_id=card.client_id, reason=error)
        if not is_final:
            # A missing right too: with the right given back no points move, so that nothing else finds the card again.
            pause = timedelta(seconds=PAUSE.seconds(card.attempts))
            async with pool.connection() as conn:
                await store.put_off(conn, card, until=clock() + pause, error=error)
            if isinstance(refused, AccessDenied):
                raise
            return False
    async with pool.connection() as conn:
        await store.written(conn, card, error=error, now=clock())
    return is_written


async def balance_differences(
    pool: Pool, cards: Cards, field: str, company_id: int
) -> AsyncIterator[tuple[int, str]]:
    """(card, difference) of each card whose field has another balance than the ledger; reads every card.

    Without those that wait to be written and those that YCLIENTS deleted; with those that it refuses.
    """
    async with pool.connection() as conn:
        known = await store.all_written(conn, company_id)
    for card in known:
        try:
            shown = shown_balance(await cards.client_card(company_id, card.client_id), field)
        except NotFound:
            yield card.client_id, "YCLIENTS does not know the card"
            continue
        except VendorError as refused:
            if not is_of_one_record(refused):
                raise
            yield card.client_id, f"YCLIENTS refuses the card: {refused}"
            continue
        if shown != str(card.balance):
            yield card.client_id, f"the card shows {shown or 'no'} points, the ledger has {card.balance}"
