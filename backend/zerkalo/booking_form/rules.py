"""Validation of a wish, the meaning of YCLIENTS's refusals and errors, and until when a booking may change. Pure."""

import hashlib
import hmac
import math
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec

from zerkalo.booking_form.model import Order, Person, Wish
from zerkalo.form_bookings.model import Refusal
from zerkalo.kit.clock import CLOCKS_APART_MAX
from zerkalo.kit.contact import canonical_email
from zerkalo.kit.phone import normalise_phone
from zerkalo.kit.problem import ProblemError
from zerkalo.kit.text import storable_text
from zerkalo.yclients.errors import (
    AccessDenied,
    BookingRefused,
    NotFound,
    RequestRefused,
    VendorError,
    VendorUnavailable,
)

SERVICES_MAX = 20
COMMENT_CHARS_MAX = 2000
NAME_CHARS_MAX = 200
CODE_CHARS_MAX = 20
AHEAD_MAX = timedelta(days=730)
SETTLE_SECONDS = 30
"""How long YCLIENTS may still work on a request whose answer was lost: PHP's usual limit, so a guess.

Until then finding no record proves nothing, and asking again could book twice.
"""

RETRY_SECONDS = 10
RETRY_SECONDS_MAX = 900
DENIED_RETRY_SECONDS = 600

_BY_CODE = {
    431: Refusal(422, "phone_invalid", "The salon can't take this phone number."),
    432: Refusal(422, "code_wrong", "Enter the code that the salon sent to your phone."),
    433: Refusal(409, "slot_taken", "This time has just been taken. Choose another one."),
    434: Refusal(403, "blacklisted", "The salon takes no online bookings for this phone. Call the salon."),
    435: Refusal(422, "name_missing", "Tell your name."),
    436: Refusal(409, "no_staff", "Nobody is free at this time. Choose another one."),
    437: Refusal(409, "overlap", "This time overlaps with another one of the same booking."),
    438: Refusal(409, "service_gone", "This service can't be booked any more. Choose another one."),
}
"""YCLIENTS's codes of the online booking (yclients-api.md, section 5)."""

SLOT_TAKEN = _BY_CODE[433]
SERVICE_GONE = _BY_CODE[438]
NOT_ALLOWED = Refusal(403, "not_allowed_by_salon", "The salon does not allow this. Call the salon.")
CHANGED_MEANWHILE = Refusal(
    409, "changed_meanwhile", "The salon has just changed this visit. Look at it and try again."
)
CLAIM_UNPROVED = Refusal(
    404, "not_found", "YCLIENTS knows no booking with this number and this hash in this branch."
)
NOT_CLAIMABLE = Refusal(409, "not_claimable", "This booking can't be given to your account. Call the salon.")
CANCELLED = Refusal(409, "already_cancelled", "This booking is cancelled already.")
PAST = Refusal(409, "already_past", "This visit has begun or is over.")

_BY_WORD = (
    ("код", 432),
    ("телефон", 431),
    ("чёрн", 434),
    ("черн", 434),
    ("имя", 435),
    ("сотрудник", 436),
    ("пересека", 437),
    ("услуга", 438),
)
"""For a refusal without a code, whose place in the body is not documented: guesses by its sentence."""


def refusal_of(code: int | None, message: str) -> Refusal:
    """The meaning of a refused booking or move: by its code, else by its sentence, else the slot was taken."""
    if code is None:
        said = message.lower()
        code = next((found for word, found in _BY_WORD if word in said), 433)
    return _BY_CODE.get(code, SLOT_TAKEN)


def problem_of(refusal: Refusal) -> ProblemError:
    """The `ProblemError` of a refusal."""
    return ProblemError(refusal.status, refusal.code, refusal.detail)


def vendor_problem(error: VendorError) -> ProblemError:
    """The `ProblemError` of an error of YCLIENTS."""
    if isinstance(error, BookingRefused):
        return problem_of(refusal_of(error.code, error.message))
    if isinstance(error, NotFound | RequestRefused):
        return problem_of(SERVICE_GONE)  # one of the ids in the question is no longer known
    if isinstance(error, AccessDenied):
        return _later(
            "yclients_refuses", "The salon's online booking is not available now.", DENIED_RETRY_SECONDS
        )
    wait = error.retry_after_seconds if isinstance(error, VendorUnavailable) else None
    return _later(
        "yclients_unavailable", "YCLIENTS does not answer now. Nothing was booked or changed.", wait
    )


def unclear_problem(wait_seconds: float) -> ProblemError:
    """The 503 where YCLIENTS did not answer and may have booked. Repeating the request later finds out."""
    return _later(
        "booking_unclear",
        "YCLIENTS did not answer, so it is not clear yet whether this was done. Send the same request again: it looks"
        " first and never books twice.",
        wait_seconds,
    )


def disabled_problem() -> ProblemError:
    """The 503 while the form is turned off."""
    return ProblemError(
        503, "yclients_disabled", "Online booking is turned off here.", {"Retry-After": "3600"}
    )


def _later(code: str, detail: str, wait_seconds: float | None) -> ProblemError:
    seconds = (
        RETRY_SECONDS if wait_seconds is None else min(max(math.ceil(wait_seconds), 1), RETRY_SECONDS_MAX)
    )
    return ProblemError(503, code, detail, {"Retry-After": str(seconds)})


def order_of(
    wish: Wish, person: Person | None, *, company_id: int, zone: tzinfo | None, now: datetime
) -> Order | Refusal:
    """The order of a wish, with the account's own contacts where none are given; or its refusal.

    `zone` is the salon's; None: unknown, and a time needs an offset.
    """
    if not wish.consent:
        return Refusal(422, "consent_missing", "The salon needs your consent to process your personal data.")
    if not wish.service_ids or len(wish.service_ids) > SERVICES_MAX:
        return Refusal(422, "invalid_request", f"Choose 1 to {SERVICES_MAX} services.")
    starts_at = time_to_book(wish.starts_at, zone, now)
    if isinstance(starts_at, Refusal):
        return starts_at
    name = _line(wish.name) or (person.name.strip() if person else "")
    if not name:
        return _BY_CODE[435]
    phone_typed = _line(wish.phone) or (person.phone if person else None)
    if not phone_typed:
        return Refusal(422, "phone_missing", "Tell your phone number.")
    phone, _ = normalise_phone(phone_typed)
    if phone is None:
        return _BY_CODE[431]
    email_typed = _line(wish.email) or (person.email if person else None)
    email = canonical_email(email_typed) if email_typed else ""
    if email is None:
        return Refusal(422, "email_invalid", "This is no e-mail address.")
    return Order(
        company_id=company_id,
        service_ids=wish.service_ids,
        staff_id=wish.staff_id,
        starts_at=starts_at,
        name=name[:NAME_CHARS_MAX],
        phone=phone,
        email=email,
        comment=comment_of(person.unique_code if person else None, wish.comment),
        code=_line(wish.code),
    )


def comment_of(unique_code: str | None, typed: str) -> str:
    """The record's comment: a signed-in user's code before the typed text."""
    text = storable_text(typed).strip()[:COMMENT_CHARS_MAX]
    if not unique_code:
        return text
    return f"Код клиента: {unique_code}\n{text}".rstrip()


def time_to_book(moment: datetime, zone: tzinfo | None, now: datetime) -> datetime | Refusal:
    """A time with the salon's offset, if it lies ahead, at most two years; a naive one is the salon's wall clock."""
    starts_at = salon_time(moment, zone)
    if starts_at is None:
        return Refusal(
            422, "invalid_request", "The time needs its offset, for example 2025-06-01T15:30:00+03:00."
        )
    if not now < starts_at <= now + AHEAD_MAX:
        return Refusal(422, "time_not_ahead", "Choose a time that lies ahead, within two years.")
    return starts_at


def salon_time(moment: datetime, zone: tzinfo | None) -> datetime | None:
    """The instant in the salon's zone, whole seconds; None for an impossible time, or a naive one without a zone."""
    try:
        if moment.tzinfo is None:
            return None if zone is None else moment.replace(tzinfo=zone, microsecond=0)
        utc = moment.astimezone(UTC)
        return (moment if zone is None else utc.astimezone(zone)).replace(microsecond=0)
    except (OverflowError, ValueError):
        return None


def offered_start(day_wall_time: str, told: datetime, zone: tzinfo | None) -> datetime:
    """When an offered time starts: its wall clock in the salon's zone, since offsets were seen wrong in summer.

    `day_wall_time`: "2025-06-01 9:30". `told`: the instant by YCLIENTS's offset, used where the wall clock can't be read,
    and to choose in the hour that occurs twice in autumn.
    """
    if zone is None:
        return told
    try:
        wall = datetime.strptime(day_wall_time, "%Y-%m-%d %H:%M")  # noqa: DTZ007 - the zone comes in the next line
    except ValueError:
        return told.astimezone(zone)
    first, second = wall.replace(tzinfo=zone, fold=0), wall.replace(tzinfo=zone, fold=1)
    is_second = first.astimezone(UTC) != told.astimezone(UTC) == second.astimezone(UTC)
    return second if is_second else first


def closed(status: str, starts_at: datetime, now: datetime) -> Refusal | None:
    """Why a booking can't be changed any more; None where it can."""
    if status == "CANCELLED":
        return CANCELLED
    return PAST if status == "COMPLETED" or starts_at <= now else None


def is_in_time(starts_at: datetime, seconds_before: int, now: datetime) -> bool:
    """Whether there are at least so many seconds before the visit as the salon requires."""
    return now < starts_at - timedelta(seconds=seconds_before)


def settle_seconds_left(asked_at: datetime, now: datetime) -> int:
    """For how many more whole seconds YCLIENTS may work on a lost request; 0: it can't.

    A time that lies ahead was written by a wrong clock: nobody waits until it has come. Asked again while YCLIENTS still
    works on the first request, only its own check of the time refuses the second.
    """
    if asked_at - now > CLOCKS_APART_MAX:
        return 0
    return max(0, math.ceil((asked_at + timedelta(seconds=SETTLE_SECONDS) - now).total_seconds()))


def request_digest(key: bytes, wish: Wish, user_id: int | None) -> bytes:
    """A digest that identifies a request: keyed, since a phone could be guessed from a plain one."""
    return hmac.digest(key, msgspec.json.encode([user_id, wish]), "sha256")


def scoped_key(idempotency_key: str, user_id: int | None) -> str:
    """The idempotency key as it is stored: each user has keys of their own, guests share theirs."""
    whose = "guest" if user_id is None else str(user_id)
    return hashlib.sha256(f"{whose}\0{idempotency_key}".encode()).hexdigest()


def _line(text: str | None) -> str:
    return " ".join(storable_text(text or "").split())
