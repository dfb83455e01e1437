"""What each kind of showing does to each state of a row: contract, sections 4, 6 and 8, a line each."""

import pytest
from msgspec import UNSET
from msgspec.structs import replace

from tests.support.showings import NOW, at, row, snapshot
from zerkalo.bookings.model import CancelReason, MatchedBy, Observed, Row, Snapshot, Source, Status
from zerkalo.bookings.rules import (
    CONTRADICTION,
    Decision,
    Ignore,
    Insert,
    Quarantine,
    Refetch,
    Stale,
    Unchanged,
    Update,
    decide,
)

EVERY_SOURCE = (Source.WEBHOOK, Source.PAGE, Source.REFETCH)
BLOCK = {
    "has_client": False, "has_services": False, "service_name": "", "price_kopecks": 0, "phone": None, "phone10": None, "email": None,
}  # fmt: skip
FUTURE = 60 * 60 * 24 * 365
SOON = 60 * 60 * 3 + 60
"""Seconds: a minute ahead of `NOW`, which is three hours after second 0."""
KNOWN = row()
DELETED = row(deleted=True)
ABSENT = replace(DELETED, absent=True)


def decided(before: Row | None, source: Source, shown: Snapshot | None, **how: object) -> Decision:
    """The decision; a read was sent after the row was written, unless its `number` says otherwise."""
    number = how.pop("number", 1)
    return decide(before, shown, Observed(source=source, number=number, **how), now=NOW)  # pyright: ignore[reportArgumentType]  # flags by name


@pytest.mark.parametrize(
    ("before", "source", "shown", "kind"),
    [
        # No row yet
        (None, Source.WEBHOOK, snapshot(), Insert),
        (None, Source.PAGE, snapshot(), Insert),
        (None, Source.REFETCH, snapshot(), Insert),
        (None, Source.WEBHOOK, snapshot(deleted=True), Insert),
        (None, Source.PAGE, snapshot(deleted=True), Insert),
        (None, Source.WEBHOOK, snapshot(None), Refetch),
        (None, Source.PAGE, snapshot(None), Insert),
        (None, Source.WEBHOOK, None, Refetch),
        # Too thin to decide on
        (None, Source.WEBHOOK, snapshot(starts_at=UNSET), Refetch),
        (None, Source.PAGE, snapshot(starts_at=UNSET), Quarantine),
        (None, Source.REFETCH, snapshot(starts_at=UNSET), Quarantine),
        (None, Source.WEBHOOK, snapshot(has_services=UNSET), Refetch),
        (None, Source.WEBHOOK, snapshot(has_client=UNSET, has_services=False), Refetch),
        # Blocks
        *[(None, source, snapshot(**BLOCK), Ignore) for source in EVERY_SOURCE],
        (KNOWN, Source.WEBHOOK, snapshot(6, **BLOCK), Update),
        # Newer, the same, older
        (KNOWN, Source.WEBHOOK, snapshot(6), Update),
        (KNOWN, Source.PAGE, snapshot(6), Update),
        (KNOWN, Source.REFETCH, snapshot(6), Update),
        (KNOWN, Source.WEBHOOK, snapshot(5), Unchanged),
        (KNOWN, Source.PAGE, snapshot(5), Unchanged),
        (KNOWN, Source.REFETCH, snapshot(5), Unchanged),
        (KNOWN, Source.WEBHOOK, snapshot(4, comment="раньше"), Stale),
        # The same second with other content
        (KNOWN, Source.WEBHOOK, snapshot(5, comment="другое"), Refetch),
        (KNOWN, Source.PAGE, snapshot(5, comment="другое"), Update),
        (KNOWN, Source.REFETCH, snapshot(5, comment="другое"), Update),
        (KNOWN, Source.WEBHOOK, snapshot(5, staff_name=UNSET), Refetch),
        (KNOWN, Source.WEBHOOK, snapshot(5, deleted=True), Refetch),
        (KNOWN, Source.PAGE, snapshot(5, deleted=True), Update),
        (DELETED, Source.PAGE, snapshot(5, deleted=True, comment="другое"), Update),
        # A call never overwrites by chance what has no version
        (row(None, source=Source.PAGE), Source.WEBHOOK, snapshot(5), Update),
        (row(None, source=Source.PAGE), Source.PAGE, snapshot(None), Unchanged),
        (row(None, source=Source.PAGE), Source.PAGE, snapshot(None, comment="другое"), Update),
        (KNOWN, Source.PAGE, snapshot(None, comment="другое"), Update),
        (KNOWN, Source.REFETCH, snapshot(None, comment="другое"), Update),
        # Deleted with its data: a newer showing is a restoration, an older one is late
        (DELETED, Source.WEBHOOK, snapshot(6), Update),
        (DELETED, Source.WEBHOOK, snapshot(4), Stale),
        # Cancelled by a bare deletion or a 404: only an API read brings it back
        (ABSENT, Source.WEBHOOK, snapshot(9), Refetch),
        (ABSENT, Source.WEBHOOK, snapshot(9, deleted=True), Update),
        (ABSENT, Source.PAGE, snapshot(9), Refetch),
        (ABSENT, Source.REFETCH, snapshot(9), Update),
        (ABSENT, Source.REFETCH, snapshot(5), Update),
        (ABSENT, Source.PAGE, snapshot(5, deleted=True), Unchanged),
        (ABSENT, Source.PAGE, snapshot(9, deleted=True), Update),
        (ABSENT, Source.PAGE, snapshot(4, deleted=True), Update),
        # A change time that can't be true orders nothing
        (None, Source.WEBHOOK, snapshot(FUTURE), Refetch),
        (KNOWN, Source.WEBHOOK, snapshot(FUTURE), Refetch),
        (KNOWN, Source.WEBHOOK, snapshot(SOON), Update),
        (None, Source.PAGE, snapshot(FUTURE), Insert),
        (KNOWN, Source.PAGE, snapshot(FUTURE), Update),
        (row(FUTURE, source=Source.PAGE), Source.WEBHOOK, snapshot(6), Refetch),
        (row(FUTURE, source=Source.PAGE), Source.PAGE, snapshot(6), Update),
        # Told without its change time
        (KNOWN, Source.WEBHOOK, snapshot(None, comment="другое"), Refetch),
        (KNOWN, Source.WEBHOOK, snapshot(None), Refetch),
        (KNOWN, Source.WEBHOOK, snapshot(None, starts_at=UNSET), Refetch),
        (KNOWN, Source.WEBHOOK, snapshot(None, price_kopecks=UNSET), Refetch),
        (ABSENT, Source.WEBHOOK, snapshot(None), Refetch),
        (KNOWN, Source.WEBHOOK, snapshot(None, deleted=True), Update),
        (ABSENT, Source.WEBHOOK, snapshot(None, deleted=True), Unchanged),
        (KNOWN, Source.WEBHOOK, None, Refetch),
    ],
)  # fmt: skip
def test_showing_and_row_give_one_decision(
    before: Row | None, source: Source, shown: Snapshot | None, kind: type[Decision]
) -> None:
    assert isinstance(decided(before, source, shown), kind)


@pytest.mark.parametrize(
    ("before", "number", "kind"),
    [
        (None, 1, Ignore),
        (KNOWN, 1, Update),
        (KNOWN, 0, Refetch),
        (DELETED, 1, Update),
        (ABSENT, 1, Unchanged),
    ],
)
def test_404_cancels_only_the_row_that_was_asked_about(
    before: Row | None, number: int, kind: type[Decision]
) -> None:
    decision = decided(before, Source.REFETCH, None, gone=True, number=number)

    assert isinstance(decision, kind)
    if isinstance(decision, Update):
        assert (decision.row.status, decision.row.cancel_reason) == (Status.CANCELLED, CancelReason.DELETED)
        assert decision.row.absent


@pytest.mark.parametrize("before", [KNOWN, row(attendance=-1), row(attendance=1)])
def test_bare_deletion_cancels_and_is_checked(before: Row) -> None:
    decision = decided(before, Source.WEBHOOK, None, is_delete=True)

    assert isinstance(decision, Update)
    assert decision.row.absent
    assert decision.row.cancel_reason is CancelReason.DELETED
    assert decision.refetch


def test_bare_deletion_of_what_we_lack_is_asked_for() -> None:
    assert isinstance(decided(None, Source.WEBHOOK, None, is_delete=True), Refetch)


@pytest.mark.parametrize("before", [None, KNOWN, DELETED])
@pytest.mark.parametrize("second", [4, 5, 6])
def test_deletion_whose_data_says_not_deleted_is_asked_for(before: Row | None, second: int) -> None:
    assert isinstance(decided(before, Source.WEBHOOK, snapshot(second), is_delete=True), Refetch)


@pytest.mark.parametrize("source", [Source.PAGE, Source.REFETCH])
@pytest.mark.parametrize(
    ("before", "shown", "kind"),
    [
        (KNOWN, snapshot(4, comment="другое"), Stale),
        (KNOWN, snapshot(5), Unchanged),
        (KNOWN, snapshot(5, comment="другое"), Refetch),
        (KNOWN, snapshot(6, comment="другое"), Update),
        (KNOWN, snapshot(FUTURE), Refetch),
        (ABSENT, snapshot(9), Refetch),
    ],
)  # fmt: skip
def test_a_read_sent_before_the_row_was_written_is_ordered_by_its_change_time(
    source: Source, before: Row, shown: Snapshot, kind: type[Decision]
) -> None:
    decision = decided(before, source, shown, number=0)

    assert isinstance(decision, kind) or (kind is Stale and decision == Stale(None))


@pytest.mark.parametrize("source", [Source.PAGE, Source.REFETCH])
def test_a_read_older_than_the_row_counts_once_a_second_one_has_said_the_same(source: Source) -> None:
    shown = snapshot(4, comment="другое")

    assert decided(KNOWN, source, shown) == Refetch(CONTRADICTION)
    decision = decided(KNOWN, source, shown, confirmed=True)

    assert isinstance(decision, Update)
    assert (decision.row.comment, decision.row.vendor_changed_at) == ("другое", at(4))


@pytest.mark.parametrize("is_bare_first", [True, False])
def test_cancelled_at_is_the_vendors_time_as_soon_as_it_is_known(is_bare_first: bool) -> None:
    events: list[tuple[Snapshot | None, bool]] = [(None, True), (snapshot(7, deleted=True), False)]
    known = KNOWN
    for shown, is_delete in events if is_bare_first else reversed(events):
        decision = decided(known, Source.WEBHOOK, shown, is_delete=is_delete)
        assert isinstance(decision, Update)
        known = decision.row

    assert (known.cancelled_at, known.cancelled_at_ours) == (at(7), False)


def test_cancelled_at_is_the_vendors_also_where_the_deletion_left_the_change_time_as_it_was() -> None:
    bare = decided(KNOWN, Source.WEBHOOK, None, is_delete=True)
    assert isinstance(bare, Update)
    assert (bare.row.cancelled_at, bare.row.cancelled_at_ours) == (NOW, True)

    full = decided(bare.row, Source.WEBHOOK, snapshot(5, deleted=True))

    assert isinstance(full, Update)
    assert (full.row.cancelled_at, full.row.cancelled_at_ours) == (at(5), False)


def test_page_without_a_date_never_asks_without_end() -> None:
    shown = snapshot(5, starts_at=UNSET, starts_local=UNSET)

    assert isinstance(decided(KNOWN, Source.REFETCH, shown), Unchanged)
    assert isinstance(decided(KNOWN, Source.PAGE, shown), Unchanged)


def test_missing_keys_keep_the_stored_value_and_are_asked_for() -> None:
    shown = snapshot(
        6, attendance=UNSET, service_name=UNSET, price_kopecks=UNSET, has_services=UNSET, starts_at=UNSET, starts_local=UNSET,
        phone=UNSET, phone10=UNSET, email=UNSET, has_client=UNSET, staff_name=UNSET, duration_minutes=UNSET, comment="новый",
    )  # fmt: skip

    decision = decided(KNOWN, Source.WEBHOOK, shown)

    assert isinstance(decision, Update)
    assert decision.refetch
    kept = replace(KNOWN, comment="новый", vendor_changed_at=at(6))
    assert decision.row == kept


@pytest.mark.parametrize(
    ("deleted", "attendance", "status", "reason"),
    [
        (True, 1, Status.CANCELLED, CancelReason.DELETED),
        (True, -1, Status.CANCELLED, CancelReason.DELETED),
        (False, -1, Status.CANCELLED, CancelReason.NO_SHOW),
        (False, 1, Status.COMPLETED, None),
        (False, 2, Status.CONFIRMED, None),
        (False, 0, Status.PENDING, None),
        (False, 7, Status.PENDING, None),
        (UNSET, 1, Status.COMPLETED, None),
        (UNSET, UNSET, Status.PENDING, None),
    ],
)
def test_status_is_told_by_deleted_then_attendance(
    deleted: bool, attendance: int, status: Status, reason: CancelReason | None
) -> None:
    decision = decided(None, Source.WEBHOOK, snapshot(deleted=deleted, attendance=attendance))

    assert isinstance(decision, Insert)
    assert (decision.row.status, decision.row.cancel_reason) == (status, reason)


@pytest.mark.parametrize(
    ("before", "shown", "status", "reason"),
    [
        (row(attendance=1), {"attendance": UNSET}, Status.COMPLETED, None),
        (row(attendance=1), {"attendance": UNSET, "deleted": UNSET}, Status.COMPLETED, None),
        (row(attendance=1), {"deleted": UNSET}, Status.PENDING, None),
        (DELETED, {"deleted": UNSET}, Status.CANCELLED, CancelReason.DELETED),
        (DELETED, {"deleted": UNSET, "attendance": 1}, Status.CANCELLED, CancelReason.DELETED),
        (DELETED, {"attendance": UNSET}, Status.PENDING, None),
        (row(attendance=-1), {"attendance": UNSET}, Status.CANCELLED, CancelReason.NO_SHOW),
    ],
)
def test_a_key_that_is_missing_or_null_keeps_what_it_told_before(
    before: Row, shown: dict[str, object], status: Status, reason: CancelReason | None
) -> None:
    decision = decided(before, Source.WEBHOOK, snapshot(6, **shown))

    assert isinstance(decision, Update)
    assert (decision.row.status, decision.row.cancel_reason) == (status, reason)


def test_cancelled_at_is_the_change_time_of_the_first_cancelled_showing() -> None:
    cancelled = decided(KNOWN, Source.WEBHOOK, snapshot(6, attendance=-1))
    assert isinstance(cancelled, Update)
    assert cancelled.row.cancelled_at == at(6)

    later = decided(cancelled.row, Source.WEBHOOK, snapshot(8, deleted=True))
    assert isinstance(later, Update)
    assert later.row.cancelled_at == at(6)
    assert later.row.cancel_reason is CancelReason.DELETED

    back = decided(later.row, Source.WEBHOOK, snapshot(9))
    assert isinstance(back, Update)
    assert back.row.cancelled_at is None

    again = decided(back.row, Source.WEBHOOK, snapshot(11, deleted=True))
    assert isinstance(again, Update)
    assert again.row.cancelled_at == at(11)


def test_cancelled_at_is_our_time_where_none_is_told() -> None:
    for decision in (
        decided(KNOWN, Source.WEBHOOK, None, is_delete=True),
        decided(KNOWN, Source.REFETCH, None, gone=True),
        decided(None, Source.PAGE, snapshot(None, deleted=True)),
    ):
        assert isinstance(decision, Insert | Update)
        assert decision.row.cancelled_at == NOW


def test_block_that_becomes_a_booking_and_back() -> None:
    assert isinstance(decided(None, Source.WEBHOOK, snapshot(5, **BLOCK)), Ignore)
    booked = decided(None, Source.WEBHOOK, snapshot(6))
    assert isinstance(booked, Insert)
    linked = replace(booked.row, id=1, revision=1, user_id=5, matched_by=MatchedBy.EMAIL)

    back = decided(linked, Source.WEBHOOK, snapshot(7, **BLOCK))

    assert isinstance(back, Update)
    assert (back.row.service_name, back.row.service_price) == ("", 0)
    assert (back.row.user_id, back.row.matched_by) == (5, MatchedBy.EMAIL)
    assert back.row.match_email == "maria@salon.test", "an empty contact teaches nothing"


@pytest.mark.parametrize(
    ("phone", "phone10", "known"),
    [
        ("+79990000002", "9990000002", "9990000002"),
        (None, None, "9990000001"),
        (UNSET, UNSET, "9990000001"),
        ("позвоните мужу", None, None),
    ],
)
def test_phone_to_match_is_the_last_one_that_was_told(phone: str, phone10: str, known: str | None) -> None:
    decision = decided(KNOWN, Source.WEBHOOK, snapshot(6, phone=phone, phone10=phone10))

    assert isinstance(decision, Update)
    assert decision.row.match_phone10 == known


EMAIL, PHONE = "maria@salon.test", "+79990000001"


@pytest.mark.parametrize("empty", [None, UNSET])
@pytest.mark.parametrize(
    ("shown", "email", "phone10"),
    [
        ({"phone": PHONE, "phone10": "9990000001", "email": ...}, EMAIL, "9990000001"),
        ({"phone": "+79990000002", "phone10": "9990000002", "email": ...}, None, "9990000002"),
        ({"phone": "позвоните мужу", "phone10": None, "email": ...}, None, None),
        ({"phone": ..., "phone10": ..., "email": EMAIL}, EMAIL, "9990000001"),
        ({"phone": ..., "phone10": ..., "email": "anna@salon.test"}, "anna@salon.test", None),
        ({"phone": ..., "phone10": ..., "email": ...}, EMAIL, "9990000001"),
    ],
)
def test_empty_contact_teaches_nothing_unless_the_other_one_is_new(
    shown: dict[str, object], email: str | None, phone10: str | None, empty: object
) -> None:
    before = replace(KNOWN, phone=PHONE, match_phone10="9990000001", match_email=EMAIL)
    told = {name: empty if value is ... else value for name, value in shown.items()}

    decision = decided(before, Source.WEBHOOK, snapshot(6, **told))

    assert isinstance(decision, Update)
    if (
        empty is UNSET
    ):  # what is not told says nothing, also where the other one is new: the whole record is asked for
        email, phone10 = email or EMAIL, phone10 or ("9990000001" if shown["phone"] is ... else None)
    assert (decision.row.match_email, decision.row.match_phone10) == (email, phone10)


@pytest.mark.parametrize("source", [Source.REFETCH, Source.PAGE])
def test_contact_that_a_thin_call_did_not_tell_is_kept_until_the_whole_record_tells(source: Source) -> None:
    before = replace(KNOWN, phone=PHONE, match_phone10="9990000001", match_email=None)
    thin = decided(before, Source.WEBHOOK, snapshot(6, email=EMAIL, phone=UNSET, phone10=UNSET))
    assert isinstance(thin, Update)
    assert thin.refetch

    assert (thin.row.match_email, thin.row.match_phone10) == (EMAIL, "9990000001")

    whole = decided(thin.row, source, snapshot(6, email=EMAIL, phone=None, phone10=None))

    assert isinstance(whole, Update)
    assert (whole.row.match_email, whole.row.phone) == (EMAIL, None)


def test_unreadable_phone_shown_again_is_nobody_new() -> None:
    before = replace(KNOWN, phone="позвоните мужу", match_phone10=None, match_email=EMAIL)

    decision = decided(before, Source.WEBHOOK, snapshot(6, phone=before.phone, phone10=None, email=None))

    assert isinstance(decision, Update)
    assert decision.row.match_email == EMAIL


def test_stale_showing_changes_no_field_but_teaches_its_code() -> None:
    decision = decided(
        KNOWN, Source.WEBHOOK, snapshot(4, comment="Код клиента: CODE0001", codes=("CODE0001",))
    )

    assert isinstance(decision, Stale)
    assert decision.row == replace(KNOWN, match_codes=("CODE0001",))


@pytest.mark.parametrize(("before", "kind"), [(KNOWN, Update), (DELETED, Update), (ABSENT, Stale)])
def test_bare_deletion_teaches_the_code_of_its_comment(before: Row, kind: type[Update | Stale]) -> None:
    shown = snapshot(None, deleted=True, comment="Код клиента: CODE0001", codes=("CODE0001",))

    decision = decided(before, Source.WEBHOOK, shown)

    assert isinstance(decision, kind)
    assert decision.row
    assert decision.row.match_codes == ("CODE0001",)


def test_deletion_that_contradicts_itself_teaches_the_code_of_its_comment() -> None:
    shown = snapshot(5, deleted=False, comment="Код клиента: CODE0001", codes=("CODE0001",))

    decision = decided(KNOWN, Source.WEBHOOK, shown, is_delete=True)

    assert isinstance(decision, Refetch)
    assert decision.row == replace(KNOWN, match_codes=("CODE0001",))


def test_what_may_be_a_block_is_asked_for_where_its_client_is_not_told() -> None:
    assert isinstance(decided(None, Source.WEBHOOK, snapshot(5, **(BLOCK | {"has_client": UNSET}))), Refetch)


@pytest.mark.parametrize(
    ("before", "second"),
    [(KNOWN, 5), (KNOWN, None), (ABSENT, 9)],
)
def test_showing_that_is_only_asked_about_changes_no_field_but_teaches_its_code(
    before: Row, second: int | None
) -> None:
    shown = snapshot(second, comment="Код клиента: CODE0001", codes=("CODE0001",))

    decision = decided(before, Source.WEBHOOK, shown)

    assert isinstance(decision, Refetch)
    assert decision.row == replace(before, match_codes=("CODE0001",))
    again = decided(decision.row, Source.WEBHOOK, shown)
    assert isinstance(again, Refetch)
    assert again.row is None, "known: costs no write"


def test_stale_showing_without_a_new_code_costs_no_write() -> None:
    known = row(5, comment="Код клиента: CODE0001", codes=("CODE0001",))

    decision = decided(known, Source.WEBHOOK, snapshot(4, codes=("CODE0001",)))

    assert decision == Stale(None)


class TestErasedRow:
    """A person had herself erased: later showings go through the same mask."""

    erased = replace(
        row(comment="", phone=None, phone10=None, email=None), phone=None, comment="", match_email=None, match_phone10=None,
        raw_record=None, raw_digest=None, erased_at=NOW,
    )  # fmt: skip

    def test_takes_over_the_visit_and_nothing_that_names_her(self) -> None:
        shown = snapshot(6, attendance=1, comment="Мария, код клиента: CODE0001", codes=("CODE0001",))

        decision = decided(self.erased, Source.WEBHOOK, shown)

        assert isinstance(decision, Update)
        assert decision.row == replace(self.erased, status=Status.COMPLETED, vendor_changed_at=at(6))

    @pytest.mark.parametrize("source", [Source.WEBHOOK, Source.PAGE, Source.REFETCH])
    def test_is_unchanged_by_what_the_mask_hides(self, source: Source) -> None:
        shown = snapshot(5, comment="Мария, код клиента: CODE0001", codes=("CODE0001",))

        assert isinstance(decided(self.erased, source, shown), Unchanged)

    def test_learns_no_code_from_a_stale_showing(self) -> None:
        assert decided(self.erased, Source.WEBHOOK, snapshot(4, codes=("CODE0001",))) == Stale(None)
