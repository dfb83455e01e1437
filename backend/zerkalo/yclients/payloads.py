"""Parse YCLIENTS's JSON bodies into our values, pure: webhook calls and answers of the records API.

Bodies are parsed leniently, as YCLIENTS writes them: every key may be missing, ids and money come as numbers or
as strings, PHP writes `[]` for an empty object. But an invalid value is never guessed at: the record is
unreadable, with a reason. The shapes are those of the bodies under `tests/fixtures/yclients/`.
"""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Raw, Struct

from zerkalo.kit.text import storable_json
from zerkalo.yclients import fields
from zerkalo.yclients.fields import FieldError
from zerkalo.yclients.model import (
    ListedRecord,
    ListPage,
    NotEnvelope,
    NotJson,
    Record,
    RecordsPage,
    SalonClient,
    ServiceLine,
    UnreadableRecord,
    WebhookEvent,
)
from zerkalo.yclients.records import listed_record, read_client, read_record

__all__ = [
    "NotEnvelope",
    "NotJson",
    "Record",
    "RecordsPage",
    "SalonClient",
    "ServiceLine",
    "UnreadableRecord",
    "WebhookEvent",
    "parse_list_page",
    "parse_record",
    "parse_record_answer",
    "parse_records_page",
    "parse_unsigned",
    "parse_webhook",
    "read_listed",
]

RESOURCE_CHARACTERS_MAX = 100

_STATUSES = frozenset({"create", "update", "delete"})
_NO_DATA = frozenset({b"", b"[]", b"{}", b"null", b'""', b"false"})

T = TypeVar("T")


def parse_webhook(body: bytes, zones: Mapping[int, tzinfo] | None = None) -> WebhookEvent:
    """Return the event of one call to our webhook.

    `zones` are the companies' time zones where known; see `parse_record`. Raises NotJson, NotEnvelope, or
    UnreadableRecord for a record event with invalid data, also where its ids contradict the envelope's.
    A marketplace call (the life cycle of an application) is an event of the resource
    `marketplace`, to be ignored.
    """
    envelope = _decoded(_WEBHOOK, storable_json(body))
    if envelope.resource is None and envelope.salon_id is not None and envelope.event is not None:
        return WebhookEvent(company_id=_company_id(envelope.salon_id), resource="marketplace", status="other")
    company_id = _company_id(envelope.company_id)
    resource = _word(envelope.resource, "resource")
    status = _word(envelope.status, "status")
    if status not in _STATUSES:
        status = "other"
    if resource == "record":
        return _record_event(envelope, company_id, status, zones.get(company_id) if zones else None)
    resource_id = fields.identifier_or_none(envelope.resource_id)
    is_shown = resource == "client" and status in ("create", "update")
    client = read_client(bytes(envelope.data)) if is_shown else None
    return WebhookEvent(
        company_id=company_id, resource=resource, resource_id=resource_id, status=status, client=client
    )


def parse_unsigned(body: bytes) -> tuple[int, int | None]:
    """Return the company and, for a record event, the record that a call is about. Its data is not parsed.

    Raises NotJson and NotEnvelope.
    """
    envelope = _decoded(_WEBHOOK, storable_json(body))
    company_id = _company_id(envelope.company_id if envelope.salon_id is None else envelope.salon_id)
    if envelope.resource is None and envelope.salon_id is not None:
        return company_id, None
    is_record = _word(envelope.resource, "resource") == "record"
    return company_id, fields.identifier_or_none(envelope.resource_id) if is_record else None


def parse_record(raw: bytes | Raw, company_id: int | None = None, zone: tzinfo | None = None) -> Record:
    """Return one record; raises UnreadableRecord.

    `company_id` is the company that was asked: it is used where the record names none, and another one is
    refused. `zone` is that company's, for a `last_change_date` without an offset. Without it the offset of
    the record's own `datetime` is used, which may be an hour off across a change of clocks (a guess: all
    bodies seen have offsets).
    """
    return read_record(storable_json(bytes(raw)), company_id, zone)


def parse_record_answer(
    body: bytes, company_id: int, zone: tzinfo | None = None, record_id: int | None = None
) -> Record:
    """Return the record in the answer of `GET /record/{company_id}/{record_id}`, which must be the one asked for.

    Raises UnreadableRecord, and NotJson or NotEnvelope where the answer holds no record, `success: false`
    included.
    """
    answer = _decoded(_ANSWER, storable_json(body))
    raw = bytes(answer.data)
    if answer.success is False or raw in _NO_DATA:
        raise NotEnvelope("no record in the answer")
    return read_record(raw, company_id, zone, record_id)


def parse_records_page(body: bytes, company_id: int | None = None, zone: tzinfo | None = None) -> RecordsPage:
    """Return one page of the records list; an unreadable record is in it as its UnreadableRecord.

    Raises NotJson and NotEnvelope, the latter also for `success: false` and for data that is no list: anything
    but a clear page must never pass for an empty one, which ends a list.
    """
    page = parse_list_page(body)
    items = tuple(read_listed(item, company_id, zone) for item in page.items)
    return RecordsPage(items=items, total_count=page.total_count, raw_count=len(items))


def parse_list_page(body: bytes) -> ListPage:
    """Return one page of the records list with only the ids parsed. Raises as `parse_records_page` does."""
    try:
        # Each record is cleaned when it is parsed: a sync parses few of a page's records.
        answer = _PAGE.decode(body)
    except (ValueError, RecursionError):
        answer = _decoded(_PAGE, storable_json(body))
    if answer.success is False:
        raise NotEnvelope("success is false")
    # PHP writes an array with holes in its numbering as an object, but never as `{}`.
    if answer.data is None or answer.data == {}:
        raise NotEnvelope("data is no list")
    found = answer.data.values() if isinstance(answer.data, dict) else answer.data
    return ListPage(
        items=tuple(listed_record(bytes(raw)) for raw in found), total_count=_total_count(answer.meta)
    )


def read_listed(item: ListedRecord, company_id: int | None, zone: tzinfo | None) -> Record | UnreadableRecord:
    """Parse a record of a list; return an unreadable one as UnreadableRecord. `zone` is as in `parse_record`."""
    try:
        return read_record(storable_json(item.raw), company_id, zone)
    except UnreadableRecord as error:
        # Kept as a value: its traceback would keep the frames, and so the whole page, in memory.
        error.__context__ = None
        return error.with_traceback(None)


class _WebhookWire(Struct, gc=False):
    company_id: Any = None
    resource: Any = None
    resource_id: Any = None
    status: Any = None
    data: Raw = Raw(b"")
    salon_id: Any = None
    event: Any = None


class _AnswerWire(Struct, gc=False):
    data: Raw = Raw(b"")
    success: Any = None


class _PageWire(Struct, gc=False):
    data: list[Raw] | dict[str, Raw] | None = None
    success: Any = None
    meta: Any = None


_ANY_JSON = msgspec.json.Decoder(Raw)
_WEBHOOK = msgspec.json.Decoder(_WebhookWire, float_hook=fields.number_from_text)
_ANSWER = msgspec.json.Decoder(_AnswerWire, float_hook=fields.number_from_text)
_PAGE = msgspec.json.Decoder(_PageWire, float_hook=fields.number_from_text)


def _decoded(decoder: "msgspec.json.Decoder[T]", body: bytes) -> T:
    try:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError as error:  # has path and type, never content
            # Raised at the first wrong type, before the rest was parsed: is it JSON at all?
            _ANY_JSON.decode(body)
            raise NotEnvelope(str(error)) from None
    except RecursionError:
        raise NotJson("nested too deeply") from None
    except ValueError:
        raise NotJson("malformed or cut off") from None


def _company_id(value: Any) -> int:
    try:
        return fields.identifier(value)
    except FieldError:
        raise NotEnvelope("no company_id") from None


def _word(value: Any, name: str) -> str:
    word = value.strip().lower()[:RESOURCE_CHARACTERS_MAX] if isinstance(value, str) else ""
    if not word:
        raise NotEnvelope(f"no {name}")
    return word


def _record_event(envelope: _WebhookWire, company_id: int, status: str, zone: tzinfo | None) -> WebhookEvent:
    raw = bytes(envelope.data)
    resource_id = fields.identifier_or_none(envelope.resource_id)
    if resource_id is None and (envelope.resource_id is not None or raw in _NO_DATA):
        raise UnreadableRecord(company_id, None, "resource_id: not an id", raw)
    if raw in _NO_DATA:
        return WebhookEvent(
            company_id=company_id, resource="record", resource_id=resource_id, status=status, record=None
        )
    record = read_record(raw, company_id, zone, resource_id)
    if status == "delete" and record.deleted is UNSET:
        record = msgspec.structs.replace(record, deleted=True)
    return WebhookEvent(
        company_id=company_id, resource="record", resource_id=record.record_id, status=status, record=record
    )


def _total_count(meta: Any) -> int | None:
    try:
        return fields.whole(msgspec.convert(meta, _MetaWire).total_count, 0, fields.ID_MAX)
    except ValueError:  # PHP's [] for an empty object, or no such count
        return None


class _MetaWire(Struct, gc=False):
    total_count: Any = None
