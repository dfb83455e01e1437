"""Find what users should be notified of and write the messages, one transaction a batch; the outbox sends them."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import partial

from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.language import Language
from zerkalo.notices import rules, store
from zerkalo.notices.model import NO_WAY, OVER_BOUNDS, TELEGRAM, Kind, NoticePolicy, Reach, Visit
from zerkalo.outbox import store as outbox_store
from zerkalo.outbox.model import Channel, Message

BATCH = 200
MESSAGE_SPAN = timedelta(hours=1)
"""How long to keep trying to send a message."""
POINTS_SETTLE_SPAN = timedelta(minutes=10)
RECENT_SPAN = timedelta(days=2)
BURNING_AHEAD = timedelta(days=7)
BURNING_AGAIN = timedelta(days=30)

MaySend = Callable[[Connection, Channel, str, datetime], Awaitable[bool]]
"""Returns whether a message to this contact may be sent now; an SMS counts towards the installation's limit."""
Zone = Callable[[Connection], Awaitable[tzinfo]]
"""Returns the salon's zone, in which the quiet hours are."""
Burning = Callable[[Connection, datetime, timedelta, int], Awaitable[tuple[Mapping[int, int], int]]]
"""Returns the points that will expire within a span, by user, of so many users after an id as one transaction may look at;
and the id to go on after, 0 where those were the last."""
BURNING_LOOK = "burning"
"""The name of the state that keeps after which user the search for expiring points goes on."""


@dataclass(frozen=True, slots=True)
class Notices:
    """The dependencies of `tell`."""

    pool: Pool
    policy: NoticePolicy
    zone: Zone
    may_send: MaySend
    burning: Burning
    has_telegram: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A notice to write, and when it expires."""

    kind: Kind
    words: Callable[[Language], tuple[str, str]]
    """(subject, text) in the user's language."""
    until: datetime
    booking_id: int | None = None


async def tell(notices: Notices, *, now: datetime) -> int:
    """Write the messages that are due and return how many. In the quiet hours nothing is written until they end.

    Safe to run in several workers at once. After a kill, the next run repeats what was not committed.
    """
    policy = notices.policy
    if not policy.is_on:
        return 0
    async with notices.pool.connection() as conn:
        local = now.astimezone(await notices.zone(conn))
    if rules.is_quiet(local, policy):
        return 0
    written = 0
    for look in (_tell_changes, _tell_reminders, _tell_points, _tell_burning):
        while True:
            seen, put = await in_transaction(
                notices.pool,
                lambda conn, look=look: look(notices, conn, rules.fresh_since(local, policy), now),
            )
            written += put
            if seen < BATCH:
                break
    return written


async def _tell_changes(
    notices: Notices, conn: Connection, since: datetime, now: datetime
) -> tuple[int, int]:
    last = await store.hold(conn, now=now)
    # Notices were switched on just now.
    if last is None or last < since - rules.FRESH_SPAN:
        await store.remember_all(conn, now=now, since=since)
    visits = await store.changed_visits(
        conn, since=since, until=now - rules.SETTLE_SPAN, now=now, limit=BATCH
    )
    told = [(rules.decide(visit, notices.policy, now=now, since=since), visit) for visit in visits]
    await store.remember(conn, visits)
    return len(visits), await _put(notices, conn, told, now)


async def _tell_reminders(
    notices: Notices, conn: Connection, since: datetime, now: datetime
) -> tuple[int, int]:
    before = notices.policy.remind_before
    if before is None:
        return 0, 0
    await store.hold(conn, now=now)
    visits = await store.visits_to_remind_of(conn, before=before, since=since, now=now, limit=BATCH)
    await store.remember(conn, visits, is_reminder=True)
    return len(visits), await _put(notices, conn, [(Kind.REMINDER, visit) for visit in visits], now)


async def _tell_points(notices: Notices, conn: Connection, since: datetime, now: datetime) -> tuple[int, int]:
    if Kind.POINTS not in notices.policy.kinds:
        return 0, 0
    await store.hold(conn, now=now)
    moved = await store.movements(
        conn, since=since, recent=now - RECENT_SPAN, until=now - POINTS_SETTLE_SPAN, limit=BATCH
    )
    await store.remember_points(conn, moved)
    reaches = await store.reach_of(conn, [one.user_id for one in moved])
    put = 0
    for one in moved:
        if one.came or one.went:
            words = partial(rules.points_message, one)
            note = Note(Kind.POINTS, words, now + MESSAGE_SPAN, one.booking_id)
            put += await _write(notices, conn, reaches.get(one.user_id), note, now)
    return len(moved), put


async def _tell_burning(
    notices: Notices, conn: Connection, since: datetime, now: datetime
) -> tuple[int, int]:
    del since
    if Kind.BURNING not in notices.policy.kinds:
        return 0, 0
    await store.hold(conn, now=now)
    after_user_id, _ = await store.hold_state(conn, BURNING_LOOK)
    # One span of users a minute, all of them in turn: who was told, or has spent the points, must not hide the others.
    burning, go_on_after = await notices.burning(conn, now, BURNING_AHEAD, after_user_id or 0)
    await store.write_state(conn, BURNING_LOOK, go_on_after, now=now)
    users = await store.not_told_of_burning(conn, list(burning), since=now - BURNING_AGAIN)
    reaches = await store.reach_of(conn, users)
    put = 0
    for user_id in users:
        words = partial(rules.burning_message, burning[user_id], BURNING_AHEAD.days)
        note = Note(Kind.BURNING, words, now + MESSAGE_SPAN)
        put += await _write(notices, conn, reaches.get(user_id), note, now)
        await store.remember_burning(conn, user_id, now=now)
    return len(users), put


async def _put(
    notices: Notices, conn: Connection, told: Sequence[tuple[Kind | None, Visit]], now: datetime
) -> int:
    wanted = [(kind, visit) for kind, visit in told if kind is not None]
    reaches = await store.reach_of(conn, [visit.user_id for _, visit in wanted])
    put = 0
    for kind, visit in wanted:
        until = min(now + MESSAGE_SPAN, visit.starts_at)
        note = Note(kind, partial(rules.visit_message, kind, visit), until, visit.booking_id)
        put += await _write(notices, conn, reaches.get(visit.user_id), note, now)
    return put


async def _write(notices: Notices, conn: Connection, reach: Reach | None, note: Note, now: datetime) -> int:
    """Write one message per usable channel and return how many. If none, the booking's history records why."""
    if reach is None:
        return 0
    subject, body = note.words(reach.language)
    ways = _ways(notices, reach)
    put = 0
    for way, recipient in ways:
        if way != TELEGRAM and not await notices.may_send(conn, Channel(way), recipient, now):
            continue
        message = Message(
            way, recipient, subject, body, note.until, reach.user_id, note.kind, note.booking_id
        )
        await outbox_store.put(conn, message, now=now)
        put += 1
    if put == 0 and note.booking_id is not None:
        why = OVER_BOUNDS if ways else NO_WAY
        await outbox_store.put_unsent(
            conn, reach.user_id, kind=note.kind, booking_id=note.booking_id, why=why, now=now
        )
    return put


def _ways(notices: Notices, reach: Reach) -> Collection[tuple[str, str]]:
    """Return (channel, recipient) for each channel that the user chose and has."""
    found: list[tuple[str, str]] = []
    if reach.by_telegram and reach.chat_id is not None and notices.has_telegram:
        found.append((TELEGRAM, str(reach.chat_id)))
    contacts = ((Channel.EMAIL, reach.email, reach.by_email), (Channel.PHONE, reach.phone, reach.by_phone))
    return found + [(channel, contact) for channel, contact, is_wanted in contacts if is_wanted and contact]
