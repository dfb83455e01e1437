"""YCLIENTS's record -> our snapshot: here their terms end and ours begin. Pure."""

from datetime import UTC, datetime, timedelta, tzinfo
from hashlib import blake2b
from typing import TypeVar

from msgspec import UNSET, UnsetType

from zerkalo.bookings import rules
from zerkalo.bookings.model import Line, Row, Snapshot, Source
from zerkalo.clients.model import Sight
from zerkalo.kit.money import CostLine, kopecks, total_kopecks
from zerkalo.matching.rules import codes_in
from zerkalo.yclients.model import Record, SalonClient, ServiceLine

Value = TypeVar("Value")

SECONDS_PER_MINUTE = 60
MAPPING_VERSION = b"2"
"""Raise it with every change in what a record's bytes mean for its row, here or in `yclients.records`. Otherwise rows that
were read before keep the old meaning until somebody changes their records."""


def snapshot_of(record: Record, zone: tzinfo | None, *, complete: bool) -> Snapshot:
    """The record as a snapshot, its wall clock read in `zone` (None: not known; then `datetime` with its offset counts).

    `complete`: the record was read from the API, which sends whole objects; there a missing key means "empty". In a
    webhook it means "not told" and stays UNSET: the record's own keys, and those of its client, master and services.
    """
    starts_at, starts_local = _start(record, zone)
    services = _or_empty(record.services, (), complete=complete)
    client = _or_empty(record.client, None, complete=complete)
    comment = _or_empty(record.comment, "", complete=complete)
    return Snapshot(
        company_id=record.company_id,
        record_id=record.record_id,
        version=record.version,
        deleted=_or_empty(record.deleted, False, complete=complete),
        attendance=_or_empty(record.attendance, 0, complete=complete),
        service_name=_service_name(services, complete=complete),
        price_kopecks=_price(services, complete=complete),
        duration_minutes=_minutes(_or_empty(record.duration_seconds, 0, complete=complete)),
        starts_at=starts_at,
        starts_local=starts_local,
        phone=_or_empty(_of_client(client, "phone"), None, complete=complete),
        phone10=_or_empty(_of_client(client, "phone10"), None, complete=complete),
        email=_or_empty(_of_client(client, "email"), None, complete=complete),
        client_id=_client_id(client),
        client_name=_client_name(client),
        has_client=UNSET if isinstance(client, UnsetType) else client is not None,
        has_services=UNSET if isinstance(services, UnsetType) else bool(services),
        staff_name=_or_empty(record.staff_name, None, complete=complete),
        comment=comment,
        codes=codes_in(comment) if isinstance(comment, str) and comment else (),
        api_id=record.api_id if isinstance(record.api_id, str) and record.api_id else None,
        raw=record.raw,
        lines=_lines(services),
        staff_id=record.staff_id,
        paid=record.paid_full,
        prepaid=record.prepaid,
        online=record.online,
        created_by=record.created_by,
    )


def instant_of(local: datetime, zone: tzinfo, told: datetime | UnsetType) -> datetime:
    """The instant of a wall clock; in the hour that occurs twice in autumn, the vendor's own instant (`told`) decides."""
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if told == first:
        return first
    second = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return second if told == second else first


def digest_of(raw: bytes, zone_rules: str | None) -> str:
    """A digest of a record's bytes and of how we read them: where an API read yields it again, nothing has changed.

    `zone_rules`: the fingerprint of the rules by which a wall clock becomes an instant; None where no zone is known.
    """
    return blake2b(raw, digest_size=16, key=(zone_rules or "").encode(), person=MAPPING_VERSION).hexdigest()


def _start(record: Record, zone: tzinfo | None) -> tuple[datetime | UnsetType, datetime | None | UnsetType]:
    """The visit's instant (UTC) and wall clock. `date` in the salon's zone comes first: offsets were seen wrong."""
    local, instant = record.local_start, record.instant
    if zone is not None and isinstance(local, datetime):
        return instant_of(local, zone, instant), local
    if isinstance(instant, datetime):
        if isinstance(local, datetime):
            # Whatever offset the instant was written with: once the zone is known, the wall clock counts.
            return instant, local
        if zone is not None:
            return instant, instant.astimezone(zone).replace(tzinfo=None)
        offset = record.instant_offset_minutes
        minutes = 0 if isinstance(offset, UnsetType) else offset
        return instant, (instant + timedelta(minutes=minutes)).replace(tzinfo=None)
    return UNSET, UNSET


def _service_name(services: tuple[ServiceLine, ...] | UnsetType, *, complete: bool) -> str | UnsetType:
    """The titles joined; UNSET where any line lacks its title."""
    if isinstance(services, UnsetType):
        return UNSET
    titles: list[str] = []
    for line in services:
        title = _or_empty(line.title, "", complete=complete)
        if isinstance(title, UnsetType):
            return UNSET
        titles.append(f"{title} ×{line.amount}" if line.amount > 1 else title)
    return ", ".join(titles)


def _lines(services: tuple[ServiceLine, ...] | UnsetType) -> tuple[Line, ...] | UnsetType:
    """The services one by one; UNSET where any lacks its title or cost."""
    if isinstance(services, UnsetType):
        return UNSET
    lines: list[Line] = []
    for one in services:
        if isinstance(one.title, UnsetType) or isinstance(one.cost, UnsetType):
            return UNSET
        lines.append(
            Line(
                service_id=one.service_id,
                title=one.title,
                amount=one.amount,
                cost=total_kopecks([(one.cost, one.cost_per_unit, one.discount, one.amount)]),
                cost_per_unit=None if one.cost_per_unit is None else kopecks(one.cost_per_unit),
                discount=None if one.discount is None else f"{one.discount:f}",
            )
        )
    return tuple(lines)


def _price(services: tuple[ServiceLine, ...] | UnsetType, *, complete: bool) -> int | UnsetType:
    """The sum in kopecks; UNSET where any line lacks its cost."""
    if isinstance(services, UnsetType):
        return UNSET
    costs: list[CostLine] = []
    for line in services:
        cost = _or_empty(line.cost, None, complete=complete)
        if isinstance(cost, UnsetType):
            return UNSET
        costs.append((cost, line.cost_per_unit, line.discount, line.amount))
    return total_kopecks(costs)


def _minutes(seconds: int | UnsetType) -> int | UnsetType:
    return seconds if isinstance(seconds, UnsetType) else -(-seconds // SECONDS_PER_MINUTE)


def _of_client(client: SalonClient | None | UnsetType, field: str) -> str | None | UnsetType:
    if client is None or isinstance(client, UnsetType):
        return client
    return getattr(client, field)


def _client_id(client: SalonClient | None | UnsetType) -> int | None | UnsetType:
    """The card's number; None where the record has no client, UNSET where none is told."""
    return client.client_id if isinstance(client, SalonClient) else client


def _client_name(client: SalonClient | None | UnsetType) -> str | None | UnsetType:
    return client.name or None if isinstance(client, SalonClient) else client


def _or_empty(value: Value | UnsetType, empty: Value, *, complete: bool) -> Value | UnsetType:
    return empty if complete and value is UNSET else value


def counts_for_card(row: Row | None, source: Source, decision: rules.Decision) -> bool:
    """Whether a snapshot updates its client's card: one that is applied, or that was read and is unchanged."""
    if row is not None and row.erased_at is not None:
        return False
    is_applied = isinstance(decision, rules.Write)
    return is_applied or (source is not Source.WEBHOOK and isinstance(decision, rules.Unchanged))


def sights_of(snapshot: Snapshot, *, observation: int, now: datetime) -> list[Sight]:
    """The sight of its client's card that a snapshot gives; none where it has no card."""
    if not isinstance(snapshot.client_id, int):
        return []
    sight = Sight(
        company_id=snapshot.company_id,
        client_id=snapshot.client_id,
        observation=observation,
        seen_at=now,
        name=snapshot.client_name or "",
        phone=snapshot.phone,
        email=snapshot.email,
    )
    return [sight]


def sights_of_client(
    company_id: int | None, client: SalonClient, *, observation: int, now: datetime
) -> list[Sight]:
    """The sight of a card that a `client` event gives; none where it names no company or no card."""
    if company_id is None or not isinstance(client.client_id, int):
        return []
    return [
        Sight(
            company_id=company_id,
            client_id=client.client_id,
            observation=observation,
            seen_at=now,
            name=client.name,
            phone=client.phone,
            email=client.email,
        )
    ]
