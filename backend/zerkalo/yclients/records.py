"""Parse one record's JSON into our `Record`, pure. See `payloads` for the bodies that contain records."""

from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import astuple

from zerkalo.kit.phone import normalise_phone
from zerkalo.kit.text import storable_json
from zerkalo.yclients import fields
from zerkalo.yclients.fields import FieldError
from zerkalo.yclients.model import ListedRecord, Record, SalonClient, ServiceLine, UnreadableRecord

T = TypeVar("T")


def read_record(
    raw: bytes, company_id: int | None, zone: tzinfo | None, announced_id: int | None = None
) -> Record:
    """Return the record in JSON that `kit.text.storable_json` has passed; raises UnreadableRecord.

    `company_id` is the company that was asked: it is used where the record names none, and another one is
    refused. `zone` is that company's, for a change time without an offset. `announced_id`, from the envelope, is used
    where `id` is missing.
    """
    try:
        return _read(_RECORD.decode(raw), raw, company_id, zone, announced_id)
    except FieldError as error:
        reason = str(error)
    except msgspec.ValidationError as error:  # has path and type, never content
        reason = str(error)
    except RecursionError:
        raise UnreadableRecord(company_id, announced_id, "nested too deeply", raw) from None
    except ValueError:
        raise UnreadableRecord(company_id, announced_id, "not JSON", raw) from None
    raise _unreadable(raw, company_id, announced_id, reason)


def listed_record(raw: bytes) -> ListedRecord:
    """Return the record with only its id parsed, as `read_record` does. `raw` need not be cleaned."""
    return ListedRecord(_id_of(raw) or _id_of(storable_json(raw)), raw)


def _id_of(raw: bytes) -> int | None:
    try:
        return fields.identifier_or_none(_IDS.decode(raw).id)
    except (ValueError, RecursionError):
        return None


def read_client(raw: bytes) -> SalonClient | None:
    """Return the card of a `client` event; None where it is missing or unreadable."""
    try:
        found = _client(_CLIENT.decode(raw))
    except (ValueError, RecursionError):  # a FieldError too
        return None
    return found if isinstance(found, SalonClient) else None


# The JSON's shape. `Any` is on purpose: it decodes as fast as a type, and the readers in `fields` accept more
# than a type could and give better errors. Unknown keys are skipped.


class _ServiceWire(Struct, gc=False):
    title: Any = UNSET
    cost: Any = UNSET
    cost_per_unit: Any = None
    discount: Any = None
    amount: Any = None
    id: Any = None


class _ClientWire(Struct, gc=False):
    id: Any = None
    name: Any = None
    surname: Any = None
    patronymic: Any = None
    display_name: Any = None
    phone: Any = UNSET
    email: Any = UNSET


class _StaffWire(Struct, gc=False):
    id: Any = None
    name: Any = UNSET


class _RecordWire(Struct, gc=False):
    id: Any = None
    company_id: Any = None
    last_change_date: Any = None
    date: Any = None
    datetime: Any = None
    seance_length: Any = None
    length: Any = None
    services: list[_ServiceWire] | dict[str, _ServiceWire] | UnsetType | None = UNSET
    client: _ClientWire | list[Any] | str | bool | UnsetType | None = UNSET
    staff: _StaffWire | list[Any] | str | bool | UnsetType | None = UNSET
    staff_id: Any = None
    attendance: Any = None
    visit_attendance: Any = None
    deleted: Any = None
    comment: Any = UNSET
    api_id: Any = UNSET
    paid_full: Any = None
    prepaid_confirmed: Any = None
    online: Any = None
    created_user_id: Any = None


class _IdsWire(Struct, gc=False):
    id: Any = None
    company_id: Any = None


_RECORD = msgspec.json.Decoder(_RecordWire, float_hook=fields.number_from_text)
_CLIENT = msgspec.json.Decoder(_ClientWire, float_hook=fields.number_from_text)
_IDS = msgspec.json.Decoder(_IdsWire, float_hook=fields.number_from_text)


def _read(
    wire: _RecordWire, raw: bytes, company_id: int | None, zone: tzinfo | None, announced_id: int | None
) -> Record:
    written, instant = _moments(wire.date, wire.datetime)
    # A `datetime` without an offset is a wall clock, as `date` is.
    local = instant if written is None and instant is not None and instant.tzinfo is None else written
    offset = instant.tzinfo if instant is not None else None
    aware = instant if offset is not None else None
    duration = wire.length if wire.seance_length in _UNTOLD else wire.seance_length
    attendance = wire.visit_attendance if wire.attendance in _UNTOLD else wire.attendance
    return Record(
        company_id=_company_id(wire.company_id, company_id),
        record_id=_record_id(wire.id, announced_id),
        version=_version(wire.last_change_date, zone or offset),
        local_start=_wall_clock(local),
        instant=UNSET if aware is None else aware.astimezone(UTC),
        instant_offset_minutes=UNSET if aware is None else fields.offset_minutes(aware),
        duration_seconds=UNSET if duration in _UNTOLD else _named("seance_length", fields.duration, duration),
        services=_services(wire.services),
        client=_client(wire.client),
        staff_name=_staff_name(wire.staff),
        staff_id=_staff_id(wire),
        attendance=UNSET if attendance in _UNTOLD else fields.attendance(attendance),
        deleted=UNSET if wire.deleted is None else _named("deleted", fields.flag, wire.deleted),
        comment=UNSET if wire.comment is UNSET else _named("comment", fields.text, wire.comment),
        api_id=UNSET if wire.api_id is UNSET else _named("api_id", fields.text, wire.api_id),
        paid_full=_told_flag(wire.paid_full),
        prepaid=_told_flag(wire.prepaid_confirmed),
        online=_told_flag(wire.online),
        created_by=_aside(fields.identifier_or_zero, wire.created_user_id),
        raw=raw,
    )


_UNTOLD = (None, "")
"""An absent number: null, and PHP's empty string."""


def _moments(date: Any, instant: Any) -> tuple[datetime | None, datetime | None]:
    """Read `date` (a wall clock) and `datetime`. An unreadable one is ignored where the other is readable."""
    read: list[datetime | None] = []
    errors: list[FieldError] = []
    for name, value in (("date", date), ("datetime", instant)):
        try:
            read.append(_named(name, fields.moment, value))
        except FieldError as error:
            read.append(None)
            errors.append(error)
    if errors and read == [None, None]:
        raise errors[0]
    written, told = read
    if written is not None and not isinstance(date, str):  # seconds since 1970 are no wall clock
        return None, told or written
    return written, told


def _wall_clock(moment: datetime | None) -> datetime | UnsetType:
    if moment is None:
        return UNSET
    return moment if moment.tzinfo is None else moment.replace(tzinfo=None)


_USUAL: dict[Any, bool | UnsetType] = {0: False, 1: True, None: UNSET, "": UNSET}
"""The values in nearly every record; looked up first, since each event has three of them. True and 1 are one key."""


def _told_flag(value: Any) -> bool | UnsetType:
    """Return a flag that no decision depends on; UNSET where it is absent or unreadable."""
    try:
        return _USUAL[value]
    except (KeyError, TypeError):
        return _aside(fields.flag, value)


def _aside(read: Callable[[Any], T], value: Any) -> T | UnsetType:
    """Return a value that no decision depends on; UNSET where it is unreadable, so that the record stays readable."""
    if value in _UNTOLD:
        return UNSET
    try:
        return read(value)
    except FieldError:
        return UNSET


def _named(name: str, read: Callable[[Any], T], value: Any) -> T:
    try:
        return read(value)
    except FieldError as error:
        raise FieldError(f"{name}: {error}") from None


def _company_id(own: Any, asked: int | None) -> int:
    if own is None and asked is not None:
        return asked
    company_id = _named("company_id", fields.identifier, own)
    if asked is not None and company_id != asked:
        raise FieldError("company_id: another company's record")
    return company_id


def _record_id(own: Any, announced: int | None) -> int:
    if own is None and announced is not None:
        return announced
    record_id = _named("id", fields.identifier, own)
    if announced is not None and record_id != announced:
        raise FieldError("id: another record than the one announced")
    return record_id


def _version(value: Any, zone: tzinfo | None) -> datetime | None:
    """Return the change time in UTC; None where it can't be determined: then the record is fetched, not misordered."""
    try:
        changed = fields.moment(value)
    except FieldError:
        return None
    if changed is None or (changed.tzinfo is None and zone is None):
        return None
    return (changed if changed.tzinfo else changed.replace(tzinfo=zone)).astimezone(UTC)


def _services(
    wires: list[_ServiceWire] | dict[str, _ServiceWire] | UnsetType | None,
) -> tuple[ServiceLine, ...] | UnsetType:
    if wires is UNSET or wires is None:
        return UNSET
    if len(wires) > fields.SERVICES_MAX:
        raise FieldError("services: too many")
    # A PHP array with holes in its numbering is written as an object.
    return tuple(map(_service, wires.values() if isinstance(wires, dict) else wires))


def _service(wire: _ServiceWire) -> ServiceLine:
    try:
        return ServiceLine(
            wire.title if wire.title is UNSET else fields.title(wire.title),
            wire.cost if wire.cost is UNSET else fields.money(wire.cost),
            fields.money(wire.cost_per_unit),
            fields.money(wire.discount),
            fields.amount(wire.amount),
            fields.identifier_or_none(wire.id),
        )
    except FieldError as error:
        raise FieldError(f"services: {error}") from None


def _client(wire: _ClientWire | list[Any] | str | bool | UnsetType | None) -> SalonClient | UnsetType | None:
    if wire is UNSET:
        return UNSET
    if not isinstance(wire, _ClientWire):
        if wire:
            raise FieldError("client: not an object")
        return None
    if wire.id is None and all(part is None or part is UNSET for part in astuple(wire)):
        return None  # {}
    try:
        phone, phone10 = (UNSET, UNSET) if wire.phone is UNSET else _phone(wire.phone)
        email = UNSET if wire.email is UNSET else fields.email(wire.email)
        client_id = fields.identifier_or_none(wire.id) or UNSET
        return SalonClient(_client_name(wire), phone, phone10, email, client_id)
    except FieldError as error:
        raise FieldError(f"client: {error}") from None


def _phone(value: Any) -> tuple[str | None, str | None]:
    given = fields.text(value).strip()
    e164, last10 = normalise_phone(given)
    return e164 or given[: fields.PHONE_CHARACTERS_MAX] or None, last10


def _client_name(wire: _ClientWire) -> str:
    text = fields.title
    parts = f"{text(wire.surname)} {text(wire.name)} {text(wire.patronymic)}".split()
    return " ".join(parts or text(wire.display_name).split())[: fields.TEXT_CHARACTERS_MAX]


def _staff_name(wire: _StaffWire | list[Any] | str | bool | UnsetType | None) -> str | UnsetType | None:
    if wire is UNSET:
        return UNSET
    if not isinstance(wire, _StaffWire):
        return None
    if wire.name is UNSET:
        return None if wire.id is None else UNSET  # {} means none
    return _named("staff.name", fields.title, wire.name) or None


def _staff_id(wire: _RecordWire) -> int | UnsetType:
    """Return the specialist's id; 0 means none yet and counts as missing."""
    own = wire.staff_id
    if own is None and isinstance(wire.staff, _StaffWire):
        own = wire.staff.id
    if own is None:
        return UNSET
    return _named("staff_id", fields.identifier_or_zero, own) or UNSET


def _unreadable(raw: bytes, company_id: int | None, record_id: int | None, reason: str) -> UnreadableRecord:
    """Return the error with the ids where they are readable, so that the record can be fetched again."""
    try:
        ids = _IDS.decode(raw)
    except ValueError:
        ids = _IdsWire()
    return UnreadableRecord(
        company_id or fields.identifier_or_none(ids.company_id),
        record_id or fields.identifier_or_none(ids.id),
        reason,
        raw,
    )
