"""What YCLIENTS offers as the form shows it: kopecks, whole minutes, the salon's wall clock."""

from collections.abc import Mapping
from datetime import date, tzinfo
from decimal import ROUND_HALF_UP, Decimal

from zerkalo.booking_form.model import OfferedService, OfferedStaff, OfferedTime
from zerkalo.booking_form.pictures.rules import picture_of
from zerkalo.booking_form.rules import offered_start
from zerkalo.yclients.model import BookableService, BookableStaff, BookableTime


def offered_staff(told: BookableStaff, api_url: str) -> OfferedStaff:
    """A master as the form shows them; the picture only where it is YCLIENTS's own."""
    return OfferedStaff(
        told.staff_id,
        told.name,
        told.specialization,
        None if told.rating is None else float(told.rating),
        told.votes,
        told.description,
        picture_of(told.avatar, api_url),
    )


def offered_service(told: BookableService, usual: Mapping[int, int]) -> OfferedService:
    """A service with its price in kopecks and its duration in minutes, from `usual` (seconds by service) where it has none."""
    seconds = usual.get(told.service_id) if told.duration_seconds is None else told.duration_seconds
    return OfferedService(
        service_id=told.service_id,
        title=told.title,
        category=told.category,
        price_min=_kopecks(told.price_min),
        price_max=_kopecks(told.price_max),
        duration=_minutes(seconds),
        comment=told.comment,
    )


def offered_time(told: BookableTime, day: date, zone: tzinfo | None) -> OfferedTime:
    """A free time of `day`; without a zone it has the offset that YCLIENTS gave."""
    starts_at = offered_start(f"{day.isoformat()} {told.wall_time}", told.starts_at, zone)
    return OfferedTime(starts_at, f"{starts_at:%H:%M}", _minutes(told.duration_seconds))


def _kopecks(roubles: Decimal) -> int:
    return int((roubles * 100).to_integral_value(ROUND_HALF_UP))


def _minutes(seconds: int | None) -> int | None:
    return None if seconds is None else -(-seconds // 60)
