"""What one line of the source says: loose values in, a person or a visit out. Pure.

A source is CSV (all text) or SQL (whatever type its columns have), so that every value is read by what it means.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from zerkalo.importing.model import Person, Question, Visit
from zerkalo.importing.rules import record_ids_in
from zerkalo.kit.contact import canonical_email
from zerkalo.kit.phone import normalise_phone
from zerkalo.kit.text import storable_text

Line = Mapping[str, object]

FIELD_CHARS_MAX = 10_000
NAME_CHARS_MAX = 200
POINTS_MAX = 10**12
RECORD_ID_MAX = 2**63 - 1
_TRUE = frozenset({"true", "t", "1", "yes", "y", "да"})
_FALSE = frozenset({"false", "f", "0", "no", "n", "нет", ""})


class BadValue(Exception):
    """A value that can't be read; the text names the column and never repeats the value, which may be personal."""


def read_person(
    line: Line,
    *,
    canonical_code: Callable[[str], str | None],
    is_usable_hash: Callable[[str], bool],
) -> Person | Question:
    """The person of a line, or why it can't be taken. `is_usable_hash`: whether log-in can work with a password hash."""
    ref = _text(line, "ref")
    try:
        if not ref:
            raise BadValue("ref is empty")
        return Person(
            ref=ref,
            email=_read(line, "email", canonical_email, "is no e-mail address"),
            phone=_read(line, "phone", lambda text: normalise_phone(text)[0], "is no phone number"),
            name=_text(line, "name")[:NAME_CHARS_MAX],
            code=_read(line, "code", canonical_code, "is not 4 to 20 letters and digits"),
            password_hash=_read(
                line,
                "password_hash",
                lambda text: text if is_usable_hash(text) else None,
                "is no argon2 or bcrypt hash of a bearable cost",
            ),
            email_proved=_flag(line, "email_proved"),
            phone_proved=_flag(line, "phone_proved"),
            balance=_whole(line, "balance"),
            created_at=_instant(line, "created_at", zone_less_is_utc=True),
        )
    except BadValue as bad:
        return Question(ref, ref, str(bad))


def read_visit(line: Line) -> Visit | Question:
    """The visit of a line, or why it can't be taken."""
    ref, person = _text(line, "ref"), _text(line, "person")
    try:
        if not ref:
            raise BadValue("ref is empty")
        record_id = _whole(line, "record_id")
        if record_id is not None and not 0 < record_id <= RECORD_ID_MAX:
            raise BadValue("record_id is no record's id")
        return Visit(
            ref=ref,
            person=person,
            record_ids=record_ids_in(_text(line, "note")) if record_id is None else (record_id,),
            wall_time=_wall_time(line),
            starts_at=_instant(line, "starts_at"),
            service=_text(line, "service"),
            points=_whole(line, "points") or 0,
        )
    except BadValue as bad:
        return Question(ref, person, str(bad))


def _text(line: Line, column: str) -> str:
    value = line.get(column)
    return "" if value is None else storable_text(str(value)).strip()[:FIELD_CHARS_MAX]


def _read(line: Line, column: str, understand: Callable[[str], str | None], otherwise: str) -> str | None:
    text = _text(line, column)
    if not text:
        return None
    found = understand(text)
    if found is None:
        raise BadValue(f"{column} {otherwise}")
    return found


def _flag(line: Line, column: str) -> bool:
    text = _text(line, column).casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise BadValue(f"{column} is neither true nor false")


def _whole(line: Line, column: str) -> int | None:
    text = _text(line, column)
    if not text:
        return None
    try:
        number = Decimal(text)
        if number != number.to_integral_value() or abs(number) > max(POINTS_MAX, RECORD_ID_MAX):
            raise BadValue(f"{column} is no whole number")
    except InvalidOperation:
        raise BadValue(f"{column} is no whole number") from None
    return int(number)


def _wall_time(line: Line) -> datetime | None:
    found = _time(line, "wall_time")
    if found is not None and found.tzinfo is not None:
        raise BadValue("wall_time has an offset: the salon's clock has none, name the column starts_at")
    return found


def _instant(line: Line, column: str, *, zone_less_is_utc: bool = False) -> datetime | None:
    found = _time(line, column)
    if found is None:
        return None
    if found.tzinfo is None:
        if not zone_less_is_utc:
            raise BadValue(f"{column} has no offset: an instant needs one, name a salon's clock wall_time")
        found = found.replace(tzinfo=UTC)
    return found.astimezone(UTC)


def _time(line: Line, column: str) -> datetime | None:
    value = line.get(column)
    if isinstance(value, datetime):
        return value
    text = _text(line, column)
    if not text:
        return None
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise BadValue(f"{column} is no time as YYYY-MM-DD HH:MM") from None
