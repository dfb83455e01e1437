"""What a showing of a booking does to its row: (row, showing) -> decision. Pure.

The version is the vendor's change time, one second fine; our arrival time never orders anything. What the decisions
promise together: any order and repetition of showings, followed by an API read, ends in the same row.
"""

from dataclasses import dataclass
from datetime import datetime

from msgspec import UNSET
from msgspec.structs import replace

from zerkalo.bookings.merge_rules import cancelled_at, content_differences, learn_codes, merge, told
from zerkalo.bookings.model import CancelReason, Row, Snapshot, Source, Status


@dataclass(frozen=True, slots=True)
class Showing:
    """One showing, with what is known of how it was obtained.

    `snapshot` is None for a bare event and for a 404 (`gone`). `remembered_revision` is the row's revision before an
    API read of this one record was sent (None: there was no row then); only meaningful for `Source.REFETCH`.
    """

    source: Source
    snapshot: Snapshot | None
    is_delete: bool = False
    gone: bool = False
    remembered_revision: int | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """A booking we did not have. `refetch` says why it is to be asked for as well, if it is."""

    row: Row
    refetch: str | None = None


@dataclass(frozen=True, slots=True)
class Update:
    """The row changes to `row`."""

    row: Row
    refetch: str | None = None


@dataclass(frozen=True, slots=True)
class Stale:
    """Older than the row: changes no field. `row` has learned the codes of its comment; None: it has none to learn."""

    row: Row | None


@dataclass(frozen=True, slots=True)
class Unchanged:
    """Says what the row says."""


@dataclass(frozen=True, slots=True)
class Refetch:
    """Can't be decided from what was shown: YCLIENTS is to be asked.

    Changes no field, like `Stale`. `row` has learned the codes of its comment; None: it has none to learn.
    """

    reason: str
    row: Row | None = None


@dataclass(frozen=True, slots=True)
class Ignore:
    """Not a booking."""

    reason: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Believed, but impossible to write."""

    reason: str


Decision = Insert | Update | Stale | Unchanged | Refetch | Ignore | Quarantine


def decide(row: Row | None, showing: Showing, *, now: datetime) -> Decision:
    """Say what `showing` does to `row` (None: we have none). `now` (aware UTC) is used only where no version tells when."""
    if showing.gone:
        return _decide_gone(row, showing, now)
    if showing.snapshot is None or (showing.snapshot.version is None and showing.source is Source.WEBHOOK):
        return _decide_bare(row, showing, now)
    if showing.is_delete and showing.snapshot.deleted is False:
        reason = "a deletion of a record that says that it is not deleted"
        return _ask(reason, row, showing.snapshot) if row is not None else Refetch(reason)
    if row is None:
        return _decide_new(showing.snapshot, showing.source, now)
    if row.absent:
        return _decide_revival(row, showing, showing.snapshot, now)
    return _decide_by_version(row, showing, showing.snapshot, now)


def _decide_gone(row: Row | None, showing: Showing, now: datetime) -> Decision:
    if row is None:
        return Ignore("YCLIENTS does not know it")
    if row.revision != showing.remembered_revision:
        return Refetch("the row changed while YCLIENTS was asked")
    # Also where the row is deleted already: a late showing of its life must not pass for a restoration.
    return Unchanged() if row.absent else Update(_tombstone(row, now))


def _decide_bare(row: Row | None, showing: Showing, now: datetime) -> Decision:
    """A call that tells no version: a deletion is acted upon, anything else is asked for."""
    if row is None:
        return Refetch("told without its change time")
    snapshot = showing.snapshot
    if not (showing.is_delete or (snapshot is not None and snapshot.deleted is True)):
        return _ask("told without its change time", row, snapshot)
    learned = learn_codes(row, snapshot) if snapshot else row
    if row.absent:
        return Unchanged() if learned is row else Stale(learned)
    return Update(_tombstone(learned, now), refetch="a bare deletion is checked with the API")


def _decide_new(snapshot: Snapshot, source: Source, now: datetime) -> Decision:
    """The first snapshot of a record that we lack."""
    if _is_thin(snapshot):
        return (
            Refetch("too thin to decide on") if source is Source.WEBHOOK else Quarantine("no readable date")
        )
    if _is_block(snapshot):
        return _ignore_block(snapshot)
    return Insert(merge(_blank(snapshot), snapshot, now=now), refetch=_incomplete(snapshot))


def _decide_revival(row: Row, showing: Showing, snapshot: Snapshot, now: datetime) -> Decision:
    """The row was cancelled by a bare deletion or a 404: only asking for this very record brings it back."""
    if showing.source is not Source.WEBHOOK and snapshot.deleted is True:
        return _decide_by_version(row, showing, snapshot, now)
    if showing.source is Source.REFETCH and showing.remembered_revision == row.revision:
        return Update(merge(row, snapshot, now=now))
    return _ask("deleted here: only an API read of the record revives it", row, snapshot)


def _decide_by_version(row: Row, showing: Showing, snapshot: Snapshot, now: datetime) -> Decision:
    if snapshot.version is not None and row.vendor_changed_at is not None:
        if snapshot.version < row.vendor_changed_at:
            return Stale(_learned(row, snapshot))
        if snapshot.version > row.vendor_changed_at:
            return Update(merge(row, snapshot, now=now), refetch=_incomplete(snapshot))
    elif snapshot.version is not None:
        return Update(merge(row, snapshot, now=now), refetch=_incomplete(snapshot))
    if not content_differences(row, snapshot):
        if showing.source is Source.WEBHOOK and _incomplete(snapshot):
            return _ask("the same change time, with keys missing", row, snapshot)
        learned = _learned(row, snapshot)
        return Stale(learned) if learned else Unchanged()
    if showing.source is Source.REFETCH and showing.remembered_revision == row.revision:
        return Update(merge(row, snapshot, now=now))
    if showing.source is Source.PAGE and snapshot.deleted is True:
        return _decide_same_second_deletion(row, snapshot, now)
    return _ask("the same change time with other content", row, snapshot)


def _decide_same_second_deletion(row: Row, snapshot: Snapshot, now: datetime) -> Decision:
    """A list shows the record deleted, in the second that we have, with other content.

    Asking for a deleted record may be answered 404, which tells no content; so the list's is taken.
    """
    agreed = row.cancel_reason is CancelReason.DELETED
    return Update(
        merge(row, snapshot, now=now), refetch=None if agreed else "the same change time with other content"
    )


def _ask(reason: str, row: Row, snapshot: Snapshot | None) -> Refetch:
    """Ask about what was told. Its codes are learned now: should it be older than the answer, nobody shows them again."""
    return Refetch(reason, _learned(row, snapshot) if snapshot else None)


def _learned(row: Row, snapshot: Snapshot) -> Row | None:
    """The row with the codes of a showing that changes none of its fields; None: it knew them all."""
    learned = learn_codes(row, snapshot)
    return None if learned is row else learned


def _blank(snapshot: Snapshot) -> Row:
    return Row(id=None, company_id=snapshot.company_id, yclients_record_id=snapshot.record_id)


def _tombstone(row: Row, now: datetime) -> Row:
    return replace(
        row,
        status=Status.CANCELLED,
        cancel_reason=CancelReason.DELETED,
        cancelled_at=cancelled_at(row, Status.CANCELLED, now),
        absent=True,
        raw_digest=None,
    )


def _is_thin(snapshot: Snapshot) -> bool:
    return snapshot.starts_at is UNSET or snapshot.has_services is UNSET


def _is_block(snapshot: Snapshot) -> bool:
    """A break or a «не записывать»: neither client nor services (fact sheet, section 2: no field marks it)."""
    return not told(snapshot.has_services, False) and not told(snapshot.has_client, False)


def _ignore_block(snapshot: Snapshot) -> Ignore | Refetch:
    """What has no services is a block where it is told that there is no client either."""
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
