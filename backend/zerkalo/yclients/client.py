"""YCLIENTS's API as typed methods, for the mirror and the booking form.

Every method raises the errors of `zerkalo.yclients.errors`. Methods on records, hooks and companies send both tokens,
those of the online booking only the partner's (yclients-api.md, sections 3 to 5).
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, tzinfo
from typing import Any, Protocol
from urllib.parse import quote

from zerkalo.yclients import answers
from zerkalo.yclients.calls import Call, Caller
from zerkalo.yclients.errors import NotFound
from zerkalo.yclients.limiter import Kind
from zerkalo.yclients.model import (
    BookableService,
    BookableStaff,
    BookableTime,
    BookedAppointment,
    Company,
    HookChange,
    HooksSettings,
    ListPage,
    Record,
    RecordsPage,
    UserRecord,
)
from zerkalo.yclients.payloads import parse_list_page, parse_record_answer, parse_records_page

PAGE_RECORDS = 200
"""The largest page known to work; no maximum is documented, and a server may clamp it."""

Filters = list[tuple[str, str]]


class RecordsFilter(Protocol):
    """Which records a list shows; None does not filter."""

    @property
    def start_date(self) -> date | None:
        """First day of the visit, included."""
        ...

    @property
    def end_date(self) -> date | None:
        """Last day of the visit, included."""
        ...

    @property
    def changed_after(self) -> datetime | None:
        """Created or changed since: naive, the salon's wall clock (an inference: its zone is not documented)."""
        ...


class YclientsClient(Caller):
    """A connection pool to YCLIENTS with our tokens, our limiter and our retries; see `Caller` for how it is made."""

    async def company(self, company_id: int, *, kind: Kind = "background") -> Company:
        """Return the branch, with its time zone."""
        call = Call(method="GET", path=f"/company/{company_id}", kind=kind, repeatable=True)
        return await self.call(call, answers.parse_company)

    async def records_page(
        self,
        company_id: int,
        query: RecordsFilter | None = None,
        *,
        page: int,
        count: int = PAGE_RECORDS,
        kind: Kind = "background",
        zone: tzinfo | None = None,
    ) -> RecordsPage:
        """Return one page, counted from 1, of the records that match the query, deleted ones too.

        `zone` is as in `parse_record`. The order is not documented and the list may shift while it is read.
        """
        call = _list(company_id, query, page=page, count=count, kind=kind)
        return await self.call(call, lambda body: parse_records_page(body, company_id, zone))

    async def list_page(
        self,
        company_id: int,
        query: RecordsFilter | None = None,
        *,
        page: int,
        count: int = PAGE_RECORDS,
        kind: Kind = "background",
    ) -> ListPage:
        """Return the same page with its records unparsed, for callers that compare their bytes first."""
        return await self.call(_list(company_id, query, page=page, count=count, kind=kind), parse_list_page)

    async def record(
        self,
        company_id: int,
        record_id: int,
        *,
        kind: Kind = "background",
        zone: tzinfo | None = None,
    ) -> Record | None:
        """Return one record, also a deleted one; None on YCLIENTS's own 404.

        Raises UnreadableRecord where it can't be parsed, or has another id than asked for.
        """
        path = f"/record/{company_id}/{record_id}"
        call = Call(method="GET", path=path, kind=kind, repeatable=True)
        try:
            return await self.call(call, lambda body: parse_record_answer(body, company_id, zone, record_id))
        except NotFound:
            return None

    async def change_record(self, company_id: int, record_id: int, body: dict[str, Any]) -> None:
        """Write a record as the salon would. `body` is the whole of it, see `edits.moved_record`.

        Never retried with the same body: that would overwrite the salon's changes made meanwhile. A busy time raises
        BookingRefused.
        """
        call = Call(
            method="PUT",
            path=f"/record/{company_id}/{record_id}",
            body=body,
            kind="interactive",
            is_booking=True,
        )
        await self.call(call, answers.parse_nothing)

    async def delete_record(self, company_id: int, record_id: int) -> bool:
        """Delete a record as the salon would; False where there was none."""
        call = Call(
            method="DELETE", path=f"/record/{company_id}/{record_id}", kind="interactive", repeatable=True
        )
        return await self._delete(call)

    async def client_card(self, company_id: int, client_id: int) -> dict[str, Any]:
        """Return a client's card as YCLIENTS shows it; an unknown one raises NotFound."""
        path = f"/client/{company_id}/{client_id}"
        return await self.call(Call(method="GET", path=path, repeatable=True), answers.parse_object)

    async def write_client_card(self, company_id: int, client_id: int, body: Mapping[str, Any]) -> None:
        """Write a client's card. YCLIENTS has no conditional write: read the card directly before."""
        path = f"/client/{company_id}/{client_id}"
        await self.call(Call(method="PUT", path=path, body=dict(body)), answers.parse_nothing)

    async def hooks_settings(self, company_id: int, *, kind: Kind = "background") -> HooksSettings:
        """Return the branch's webhook settings."""
        call = Call(method="GET", path=f"/hooks_settings/{company_id}", kind=kind, repeatable=True)
        return await self.call(call, answers.parse_hooks_settings)

    async def write_hooks(self, company_id: int, change: HookChange) -> None:
        """Replace the webhook settings of the whole branch by what `edits.added_hook` made of them.

        YCLIENTS has no conditional write: read the settings directly before.
        """
        path = f"/hooks_settings/{company_id}"
        call = Call(method="POST", path=path, body=change.body, kind="interactive")
        await self.call(call, answers.parse_nothing)

    async def book_services(
        self, company_id: int, *, staff_id: int | None = None, service_ids: Sequence[int] = ()
    ) -> tuple[BookableService, ...]:
        """Return the bookable services: with that specialist, and in addition to those services, where given."""
        call = _online(f"/book_services/{company_id}", _services(service_ids) + _staff(staff_id))
        return await self.call(call, answers.parse_services)

    async def usual_durations(self, company_id: int) -> dict[int, int]:
        """Return the durations of the services in the branch's catalogue, in seconds, by their ids.

        Services whose duration is missing, or differs between specialists, are left out.
        """
        path = f"/company/{company_id}/services"
        call = Call(method="GET", path=path, kind="interactive", repeatable=True)
        return await self.call(call, answers.parse_usual_durations)

    async def book_staff(
        self, company_id: int, *, service_ids: Sequence[int] = ()
    ) -> tuple[BookableStaff, ...]:
        """Return the specialists for these services, also those who can't be booked now."""
        call = _online(f"/book_staff/{company_id}", _services(service_ids))
        return await self.call(call, answers.parse_staff)

    async def book_dates(
        self, company_id: int, *, service_ids: Sequence[int] = (), staff_id: int | None = None
    ) -> tuple[date, ...]:
        """Return the days with a free time, sorted."""
        call = _online(f"/book_dates/{company_id}", _services(service_ids) + _staff(staff_id))
        return await self.call(call, answers.parse_dates)

    async def book_times(
        self, company_id: int, staff_id: int, day: date, *, service_ids: Sequence[int] = ()
    ) -> tuple[BookableTime, ...]:
        """Return the free times of a day; staff 0 is anybody."""
        call = _online(f"/book_times/{company_id}/{staff_id}/{day.isoformat()}", _services(service_ids))
        return await self.call(call, answers.parse_times)

    async def book_code(self, company_id: int, *, phone: str, fullname: str) -> None:
        """Have YCLIENTS send a code to the phone, where the salon wants phones confirmed."""
        body = {"phone": _digits(phone), "fullname": fullname}
        await self.call(_booking("POST", f"/book_code/{company_id}", body), answers.parse_nothing)

    async def book_record(self, company_id: int, booking: dict[str, Any]) -> tuple[BookedAppointment, ...]:
        """Book, and return the record of each appointment in the order of the request.

        `booking` is the body of the fact sheet's section 5; `appointment` makes its appointments. The call is never
        repeated once it may have been received: VendorUnavailable with `may_have_acted` means "look for the `api_id`".
        """
        body = {**booking, "phone": _digits(booking.get("phone", ""))}
        return await self.call(_booking("POST", f"/book_record/{company_id}", body), answers.parse_booked)

    async def move(
        self, company_id: int, record_id: int, *, starts_at: datetime, comment: str | None
    ) -> None:
        """Move a booking to another time (aware, best with the salon's offset).

        The comment is overwritten: pass it as read directly before. None: it is left unchanged.
        """
        body = {"datetime": _iso(starts_at)} | ({} if comment is None else {"comment": comment})
        await self.call(
            _booking("PUT", f"/book_record/{company_id}/{record_id}", body), answers.parse_nothing
        )

    async def user_record(self, company_id: int, record_id: int, record_hash: str) -> UserRecord:
        """Return a client's own booking, and whether the salon lets them move or cancel it.

        Sent with the partner token only: with a user's token YCLIENTS checks the id only, not the hash.
        A wrong hash raises NotFound.
        """
        call = _online(_own_path(record_id, record_hash))
        return await self.call(call, lambda body: answers.parse_user_record(body, company_id, record_id))

    async def delete_user_record(self, record_id: int, record_hash: str) -> bool:
        """Cancel a client's own booking under the salon's rules; False where there was none."""
        return await self._delete(
            _booking("DELETE", _own_path(record_id, record_hash), None, repeatable=True)
        )

    async def _delete(self, call: Call) -> bool:
        try:
            await self.call(call, answers.parse_nothing)
        except NotFound:
            return False
        return True


def appointment(
    appointment_id: int, *, service_ids: Sequence[int], staff_id: int, starts_at: datetime
) -> dict[str, Any]:
    """Return one appointment of a booking; staff 0 is anybody, `starts_at` is aware."""
    return {
        "id": appointment_id,
        "services": list(service_ids),
        "staff_id": staff_id,
        "datetime": _iso(starts_at),
    }


def _list(company_id: int, query: RecordsFilter | None, *, page: int, count: int, kind: Kind) -> Call:
    params: Filters = [("page", str(page)), ("count", str(count))]
    if query is not None:
        days = (("start_date", query.start_date), ("end_date", query.end_date))
        params += [(name, day.isoformat()) for name, day in days if day]
        params += [("changed_after", _wall_clock(query.changed_after))] if query.changed_after else []
    params.append(("with_deleted", "1"))
    return Call(method="GET", path=f"/records/{company_id}", params=params, kind=kind, repeatable=True)


def _own_path(record_id: int, record_hash: str) -> str:
    if not record_hash.strip("."):  # no hash, or a step up in the path: another address altogether
        raise ValueError("a client's own booking is asked for by its hash")
    return f"/user/records/{record_id}/{quote(record_hash, safe='')}"


def _online(path: str, params: Filters | None = None) -> Call:
    return Call(
        method="GET", path=path, params=params or (), as_user=False, kind="interactive", repeatable=True
    )


def _booking(method: str, path: str, body: dict[str, Any] | None, *, repeatable: bool = False) -> Call:
    return Call(
        method=method,
        path=path,
        body=body,
        as_user=False,
        kind="interactive",
        repeatable=repeatable,
        is_booking=True,
    )


def _services(service_ids: Sequence[int]) -> Filters:
    return [("service_ids[]", str(service_id)) for service_id in service_ids]


def _staff(staff_id: int | None) -> Filters:
    return [] if staff_id is None else [("staff_id", str(staff_id))]


def _digits(phone: str) -> str:
    """Return a phone in the form of the booking calls: digits with the country code."""
    return "".join(character for character in phone if character in "0123456789")


def _wall_clock(local: datetime) -> str:
    if local.tzinfo is not None:
        raise ValueError("the records list takes the salon's wall clock, without a zone")
    return local.strftime("%Y-%m-%dT%H:%M:%S")


def _iso(starts_at: datetime) -> str:
    if starts_at.tzinfo is None:
        raise ValueError("a visit is booked at an aware time")
    return starts_at.replace(microsecond=0).isoformat()
