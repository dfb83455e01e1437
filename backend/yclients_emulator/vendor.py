"""The vendor's truth: tables in memory and the operations on them. No clock, no network; randomness is seeded."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from random import Random
from typing import Any

from msgspec import structs

from yclients_emulator.bulk import BulkRange
from yclients_emulator.model import (
    Activity,
    Category,
    Client,
    Company,
    Event,
    HookSettings,
    Line,
    Record,
    Service,
    Staff,
    not_found,
    whole_second,
)


class Vendor:
    """All branches with their staff, services, clients, records and hook settings.

    Operations take `now` (aware) and report every change to `listener` right after it, one event per
    change; they raise VendorError(404) for objects that do not exist.
    """

    def __init__(self, rng: Random, listener: Callable[[Event], None]) -> None:
        self.rng = rng
        self.listener = listener
        self.companies: dict[int, Company] = {}
        self.categories: dict[int, Category] = {}
        self.services: dict[int, Service] = {}
        self.staff: dict[int, Staff] = {}
        self.activities: dict[int, Activity] = {}
        self.clients: dict[int, Client] = {}
        self.records: dict[int, dict[int, Record]] = {}
        self.revisions: dict[int, int] = {}  # a branch's counter of record changes; listings are cached by it
        self.hooks: dict[int, HookSettings] = {}
        self.bulks: dict[int, BulkRange] = {}
        self.black_list: set[tuple[int, str]] = set()
        self.codes: dict[tuple[int, str], str] = {}
        self._company_of: dict[int, int] = {}
        self._by_day: dict[tuple[int, date], set[int]] = {}
        self._by_visit: dict[int, list[int]] = {}
        self._client_by_phone: dict[tuple[int, str], int] = {}
        self.next_ids = {"record": 1_700_001, "visit": 2_200_001, "client": 9001}

    # --- set-up

    def add_company(self, company: Company) -> Company:
        self.companies[company.id] = company
        self.records.setdefault(company.id, {})
        self.revisions.setdefault(company.id, 0)
        return company

    def take_id(self, kind: str, count: int = 1) -> int:
        """Reserve `count` new ids; return the first."""
        first = self.next_ids[kind]
        self.next_ids[kind] = first + count
        return first

    def replace_life(
        self, clients: Sequence[Client], records: Sequence[Record], next_ids: Mapping[str, int]
    ) -> None:
        """Replace all clients and records by these, without events."""
        self.clients = {client.id: client for client in clients}
        self._client_by_phone = {(one.company_id, one.phone): one.id for one in clients if one.phone}
        self.records = {company_id: {} for company_id in self.companies}
        self._company_of, self._by_day, self._by_visit = {}, {}, {}
        for record in records:
            self._put(record)
        self.next_ids = dict(next_ids)

    # --- reading

    def company(self, company_id: int) -> Company:
        company = self.companies.get(company_id)
        if company is None:
            raise not_found()
        return company

    def company_staff(self, company_id: int) -> list[Staff]:
        return [one for one in self.staff.values() if one.company_id == company_id]

    def company_services(self, company_id: int) -> list[Service]:
        return [one for one in self.services.values() if one.company_id == company_id]

    def record(self, record_id: int) -> Record:
        """Return the record with that id in any branch; deleted ones too."""
        company_id = self._company_of.get(record_id)
        if company_id is not None:
            return self.records[company_id][record_id]
        for bulk in self.bulks.values():
            index = bulk.index_of(record_id)
            if index is not None:
                return bulk.record(index)
        raise not_found()

    def client(self, client_id: int | None) -> Client | None:
        if client_id is None:
            return None
        known = self.clients.get(client_id)
        if known is not None:
            return known
        for bulk in self.bulks.values():
            virtual = bulk.client(client_id)
            if virtual is not None:
                return virtual
        return None

    def client_by_phone(self, company_id: int, phone: str) -> Client | None:
        return self.clients.get(self._client_by_phone.get((company_id, phone), 0)) if phone else None

    def day_records(self, staff_id: int, day: date) -> Iterator[Record]:
        """Yield the records of a specialist that day, without deleted ones."""
        for record_id in sorted(self._by_day.get((staff_id, day), ())):
            record = self.record(record_id)
            if not record.deleted:
                yield record

    def visit_records(self, visit_id: int) -> list[Record]:
        return [self.record(record_id) for record_id in self._by_visit.get(visit_id, [])]

    def hook_settings(self, company_id: int, self_sending: int = 1) -> HookSettings:
        return self.hooks.get(company_id) or HookSettings(self_sending=self_sending)

    def line(self, service_id: int, *, unit: int | None = None, discount: int = 0, amount: int = 1) -> Line:
        """A line for that service; its lowest price unless `unit` (kopecks) is given."""
        service = self.services.get(service_id)
        if service is None:
            raise not_found()
        price = service.price_min if unit is None else unit
        return Line(service_id=service.id, title=service.title, unit=price, discount=discount, amount=amount)

    # --- records

    def create_record(
        self,
        now: datetime,
        *,
        company_id: int,
        staff_id: int,
        date: datetime,
        seance_length: int,
        lines: tuple[Line, ...],
        client_id: int | None,
        visit_id: int | None = None,
        by_user: bool = False,
        **fields: Any,
    ) -> Record:
        """Create a record, also at a busy time; a caller that must not overbook checks first."""
        moment = whole_second(now)
        record = Record(
            id=self.take_id("record"),
            company_id=company_id,
            staff_id=staff_id,
            date=date,
            seance_length=seance_length,
            lines=lines,
            client_id=client_id,
            visit_id=self.take_id("visit") if visit_id is None else visit_id,
            record_hash=f"{self.rng.getrandbits(128):032x}",
            created_at=moment,
            changed_at=moment,
            **fields,
        )
        self._put(record)
        self._tell("create", record, by_user)
        return record

    def change_record(self, now: datetime, record_id: int, *, by_user: bool = False, **fields: Any) -> Record:
        """Set these fields of a record and its change time; `attendance` sets the visit's too."""
        before = self.record(record_id)
        if "attendance" in fields:
            fields.setdefault("visit_attendance", fields["attendance"])
        after = structs.replace(before, changed_at=whole_second(now), **fields)
        self._put(after)
        self._count_visit(now, before, after)
        self._tell("update", after, by_user)
        return after

    def delete_record(self, now: datetime, record_id: int, *, by_user: bool = False) -> Record:
        """Delete a record; it stays readable with `deleted`. 404 if it is deleted already."""
        before = self.record(record_id)
        if before.deleted:
            raise not_found()
        after = structs.replace(before, deleted=True, changed_at=whole_second(now))
        self._put(after)
        self._tell("delete", after, by_user)
        return after

    def restore_record(self, now: datetime, record_id: int) -> Record:
        """Restore a deleted record; the vendor announces that as an update."""
        return self.change_record(now, record_id, deleted=False)

    def change_visit(self, now: datetime, visit_id: int, record_id: int, **fields: Any) -> Record:
        """Set fields of a record and the `attendance` of its whole visit; 404 if it is not of the visit."""
        asked = self.record(record_id)
        if asked.visit_id != visit_id:
            raise not_found()
        siblings = self.visit_records(visit_id) or [asked]
        for sibling in siblings:
            own = fields if sibling.id == record_id else {"attendance": fields["attendance"]}
            self.change_record(now, sibling.id, by_user=True, **own)
        return self.record(record_id)

    def _put(self, record: Record) -> None:
        before = self.records[record.company_id].get(record.id)
        if before is None:
            self._by_visit.setdefault(record.visit_id, []).append(record.id)
        else:
            self._by_day[(before.staff_id, before.date.date())].discard(before.id)
        self._by_day.setdefault((record.staff_id, record.date.date()), set()).add(record.id)
        self.records[record.company_id][record.id] = record
        self._company_of[record.id] = record.company_id
        self.revisions[record.company_id] += 1

    def _tell(self, status: str, record: Record, by_user: bool) -> None:
        self.listener(
            Event(
                company_id=record.company_id,
                resource="record",
                resource_id=record.id,
                status=status,
                subject=record,
                by_user=by_user,
            )
        )

    def _count_visit(self, now: datetime, before: Record, after: Record) -> None:
        # The card counts arrivals; this is a side effect in the vendor, so it sends no client event.
        client = self.clients.get(after.client_id or 0)
        if client is None or before.attendance == after.attendance:
            return
        came = int(after.attendance == 1) - int(before.attendance == 1)
        missed = int(after.attendance == -1) - int(before.attendance == -1)
        self.clients[client.id] = structs.replace(
            client,
            success_visits_count=client.success_visits_count + came,
            fail_visits_count=client.fail_visits_count + missed,
            spent=client.spent + came * after.total,
        )

    # --- clients

    def save_client(
        self, now: datetime, company_id: int, phone: str, *, by_user: bool = False, **fields: Any
    ) -> Client:
        """Return the client with that phone in the branch: created if new, else updated by the non-empty fields."""
        known = self.client_by_phone(company_id, phone)
        if known is None:
            client = Client(
                id=self.take_id("client"),
                company_id=company_id,
                phone=phone,
                changed_at=whole_second(now),
                **fields,
            )
            self.clients[client.id] = client
            if phone:
                self._client_by_phone[(company_id, phone)] = client.id
            self._tell_client("create", client, by_user)
            return client
        news = {name: value for name, value in fields.items() if value and getattr(known, name) != value}
        return self.change_client(now, known.id, by_user=by_user, **news) if news else known

    def change_client(
        self, now: datetime, client_id: int, *, touch: bool = False, by_user: bool = False, **fields: Any
    ) -> Client:
        """Edit a client card; `touch` moves the change time of the client's records as well."""
        before = self.client(client_id)
        if before is None:
            raise not_found()
        after = structs.replace(before, changed_at=whole_second(now), **fields)
        self.clients[client_id] = after
        self._client_by_phone.pop((before.company_id, before.phone), None)
        if after.phone:
            self._client_by_phone[(after.company_id, after.phone)] = after.id
        self.revisions[after.company_id] += 1
        self._tell_client("update", after, by_user)
        if touch:
            for record in list(self.records[after.company_id].values()):
                if record.client_id == client_id:
                    self.change_record(now, record.id)
        return after

    def _tell_client(self, status: str, client: Client, by_user: bool) -> None:
        self.listener(
            Event(
                company_id=client.company_id,
                resource="client",
                resource_id=client.id,
                status=status,
                subject=client,
                by_user=by_user,
            )
        )
