"""Decide what a snapshot of a booking does to its row: (row, snapshot) -> decision. Pure.

Webhooks are ordered by the vendor's change time, to the second. An API read later than the row's last write is the
truth. *Later* compares numbers of one sequence, not clocks. Together the decisions guarantee: deliveries in any order,
repeated or lost, with any clocks, followed by one sync, end in the same row.
"""

from datetime import datetime, timedelta

from msgspec import UNSET, Struct
from msgspec.structs import replace

from zerkalo.bookings.merging.rules import cancelled_at, content_differences, learn_codes, merge, told
from zerkalo.bookings.model import CancelReason, Observed, Row, Snapshot, Source, Status

AHEAD_MAX = timedelta(minutes=5)
"""A change time further ahead of our clock is ignored: a clock is wrong, or the time is forged."""
CONTRADICTION = "older than the change time that we have"
"""Why a read that contradicts the row is read once more before it is accepted."""


class Insert(Struct, frozen=True, gc=False):
    """A new booking. `refetch`: the reason to fetch it as well, if there is one."""

    row: Row
    refetch: str | None = None


class Update(Struct, frozen=True, gc=False):
    """The row changes to `row`."""

    row: Row
    refetch: str | None = None


class Stale(Struct, frozen=True, gc=False):
    """Older than the row: changes no field. `row` has the new codes of its comment added; None: there are none."""

    row: Row | None


class Unchanged(Struct, frozen=True, gc=False):
    """Equal to the row."""


class Refetch(Struct, frozen=True, gc=False):
    """Can't be decided from the snapshot: fetch the record from YCLIENTS.

    Changes no field; `row` as in `Stale`.
    """

    reason: str
    row: Row | None = None


class Ignore(Struct, frozen=True, gc=False):
    """Not a booking."""

    reason: str


class Quarantine(Struct, frozen=True, gc=False):
    """Authentic, but impossible to write."""

    reason: str


Write = Insert | Update
"""What gives the row the snapshot's content."""
Decision = Write | Stale | Unchanged | Refetch | Ignore | Quarantine


def decide(row: Row | None, snapshot: Snapshot | None, observed: Observed, *, now: datetime) -> Decision:
    """Decide what a snapshot does to `row` (None: we have none).

    `snapshot` is None for a bare event and where the API answered 404.

    `now` (aware UTC) bounds plausible change times, and dates a cancellation that has no version.
    """
    if observed.gone:
        return _decide_gone(row, observed, now)
    if observed.source is Source.WEBHOOK:
        return _decide_told(row, snapshot, observed, now)
    assert snapshot is not None, "a read shows the record, or that it is gone"
    if row is None:
        return _decide_new(snapshot, observed.source, now)
    if observed.number > row.observation:
        return _decide_read(row, snapshot, observed, now)
    return _decide_by_version(row, snapshot, now)


def _decide_gone(row: Row | None, observed: Observed, now: datetime) -> Decision:
    if row is None:
        return Ignore("YCLIENTS does not know it")
    if observed.number <= row.observation:
        return Refetch("the row changed while YCLIENTS was asked")
    # Also where the row is deleted already: a late snapshot from before the deletion must not restore it.
    return Unchanged() if row.absent else Update(_tombstone(row, now))


def _decide_told(row: Row | None, snapshot: Snapshot | None, observed: Observed, now: datetime) -> Decision:
    """Decide on a call: ordered by the vendor's change time, where it has a plausible one."""
    if snapshot is None or snapshot.version is None:
        return _decide_bare(row, snapshot, now, is_delete=observed.is_delete)
    if _is_ahead(snapshot.version, now):
        return Refetch("its change time lies in the future")
    if observed.is_delete and snapshot.deleted is False:
        reason = "a deletion of a record that says that it is not deleted"
        return _ask(reason, row, snapshot) if row is not None else Refetch(reason)
    if row is None:
        return _decide_new(snapshot, observed.source, now)
    return _decide_by_version(row, snapshot, now, told=True)


def _decide_bare(row: Row | None, snapshot: Snapshot | None, now: datetime, *, is_delete: bool) -> Decision:
    """Decide on a call without a version: a deletion is applied, anything else is fetched."""
    if row is None:
        return Refetch("told without its change time")
    if not (is_delete or (snapshot is not None and snapshot.deleted is True)):
        return _ask("told without its change time", row, snapshot)
    learned = (_learned(row, snapshot) if snapshot else None) or row
    if row.absent:
        return Unchanged() if learned is row else Stale(learned)
    return Update(_tombstone(learned, now), refetch="a bare deletion is checked with the API")


def _decide_new(snapshot: Snapshot, source: Source, now: datetime) -> Decision:
    """Decide on the first snapshot of a record."""
    if _is_thin(snapshot):
        return (
            Refetch("too thin to decide on") if source is Source.WEBHOOK else Quarantine("no readable date")
        )
    if _is_block(snapshot):
        return _ignore_block(snapshot)
    return Insert(merge(_blank(snapshot), snapshot, now=now), refetch=_incomplete(snapshot))


def _decide_read(row: Row, snapshot: Snapshot, observed: Observed, now: datetime) -> Decision:
    """Decide on an API read later than the row's last write: the truth, whatever the change times."""
    if row.absent and snapshot.deleted is not True and observed.source is Source.PAGE:
        return _ask(_REVIVAL, row, snapshot)
    is_same = snapshot.version in (None, row.vendor_changed_at) and not content_differences(row, snapshot)
    if is_same and not (row.absent and snapshot.deleted is not True):
        return _unchanged(row, snapshot)
    if not _contradicts(row, snapshot, now) or observed.confirmed:
        return Update(merge(row, snapshot, now=now))
    if snapshot.deleted is True:
        # A fetch of a deleted record may be answered 404, without content: so apply the list's item, and check it.
        return Update(
            merge(row, snapshot, now=now), refetch="deleted, and older than the change time that we have"
        )
    return _ask(CONTRADICTION, row, snapshot)


def _contradicts(row: Row, snapshot: Snapshot, now: datetime) -> bool:
    """Return whether the row has a newer and plausible change time."""
    known = row.vendor_changed_at
    return (
        snapshot.version is not None
        and known is not None
        and snapshot.version < known
        and not _is_ahead(known, now)
    )


def _decide_by_version(row: Row, snapshot: Snapshot, now: datetime, *, told: bool = False) -> Decision:
    """Decide by the vendor's change time: on a call (`told`), or on a read from before the row was written."""
    version, known = snapshot.version, row.vendor_changed_at
    if row.absent and snapshot.deleted is not True:
        return _ask(_REVIVAL, row, snapshot)
    if (version and _is_ahead(version, now)) or (known and _is_ahead(known, now)):
        return _ask("a change time lies in the future", row, None)
    if version is not None and known is not None and version < known:
        return Stale(_learned(row, snapshot))
    if version is not None and (known is None or version > known):
        return Update(merge(row, snapshot, now=now), refetch=_incomplete(snapshot))
    differing = content_differences(row, snapshot)
    if differing == ("cancelled_at",):
        return Update(merge(row, snapshot, now=now))
    if differing:
        return _ask("the same change time with other content", row, snapshot)
    if told and _incomplete(snapshot):
        return _ask("the same change time, with keys missing", row, snapshot)
    return _unchanged(row, snapshot)


_REVIVAL = "deleted here: only an API read of the record revives it"


def _unchanged(row: Row, snapshot: Snapshot) -> Decision:
    learned = _learned(row, snapshot)
    return Stale(learned) if learned else Unchanged()


def _is_ahead(version: datetime, now: datetime) -> bool:
    return version > now + AHEAD_MAX


def _ask(reason: str, row: Row, snapshot: Snapshot | None) -> Refetch:
    """Ask for a refetch. The snapshot's codes are added now: if the refetch is newer, it may lack them."""
    return Refetch(reason, _learned(row, snapshot) if snapshot else None)


def _learned(row: Row, snapshot: Snapshot) -> Row | None:
    """Return the row with the codes of a snapshot that changes none of its fields; None: no new codes.

    A snapshot with another card, or of a record that was handed over, may concern another person.
    """
    if row.handed_over or told(snapshot.client_id, None) != row.client_id:
        return None
    learned = learn_codes(row, snapshot)
    return None if learned is row else learned


def _blank(snapshot: Snapshot) -> Row:
    return Row(id=None, company_id=snapshot.company_id, yclients_record_id=snapshot.record_id)


def _tombstone(row: Row, now: datetime) -> Row:
    when, is_ours = cancelled_at(row, Status.CANCELLED, None, now)
    return replace(
        row,
        status=Status.CANCELLED,
        cancel_reason=CancelReason.DELETED,
        cancelled_at=when,
        cancelled_at_ours=is_ours,
        absent=True,
        raw_digest=None,
    )


def _is_thin(snapshot: Snapshot) -> bool:
    return snapshot.starts_at is UNSET or snapshot.has_services is UNSET


def _is_block(snapshot: Snapshot) -> bool:
    """A break or a «не записывать»: neither client nor services (fact sheet, section 2: no field marks it)."""
    return not told(snapshot.has_services, False) and not told(snapshot.has_client, False)


def _ignore_block(snapshot: Snapshot) -> Ignore | Refetch:
    """Ignore a record without services as a block if the snapshot says that it has no client either; else refetch."""
    if snapshot.has_client is UNSET:
        return Refetch("too thin to decide on")
    return Ignore("a block in the journal, no booking")


def _incomplete(snapshot: Snapshot) -> str | None:
    values = (
        snapshot.deleted,
        snapshot.attendance,
        snapshot.service_name,
        snapshot.price_kopecks,
        snapshot.duration_minutes,
        snapshot.starts_at,
        snapshot.has_client,
        snapshot.phone,
        snapshot.email,
        snapshot.staff_name,
        snapshot.comment,
    )
    return "some keys were missing" if any(value is UNSET for value in values) else None
