"""Parse lines of the source: loose values in, a person or a visit out. Pure.

A source is CSV (all text) or SQL (any column types), so each value is parsed by the meaning of its column.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from sys import intern

from zerkalo.codes.rules import canonical_code
from zerkalo.importing.model import PERSON_COLUMNS, VISIT_COLUMNS, Person, Question, Visit, Why
from zerkalo.importing.rules import others_of, record_ids_in
from zerkalo.importing.source.model import Line, Read
from zerkalo.kit.contact import canonical_email
from zerkalo.kit.phone import normalise_phone
from zerkalo.kit.text import storable_text
from zerkalo.kit.zones import LAST

FIELD_CHARS_MAX = 10_000
NAME_CHARS_MAX = 200
POINTS_MAX = 10**12
RECORD_ID_MAX = 2**63 - 1
SINCE = datetime(1970, 1, 1, tzinfo=UTC)
"""Earlier times are not meant: the year 1 is how some programs say that there is none, and no page can show it."""
CLOCK_MAY_BE_AHEAD = timedelta(days=1)
_TRUE = frozenset({"true", "t", "1", "yes", "y", "да"})
_FALSE = frozenset({"false", "f", "0", "no", "n", "нет", ""})


class BadValue(Exception):
    """A value of a column that can't be read. Never repeats the value, which may be personal."""

    def __init__(self, why: Why, column: str) -> None:
        super().__init__(why, column)
        self.why = why
        self.column = column


def read_lines(
    person_lines: Sequence[Line],
    visit_lines: Iterable[Line],
    *,
    is_usable_hash: Callable[[str], bool],
    now: datetime,
) -> Read:
    """Parse both lists; drop repeated references and report them."""
    people: dict[str, Person] = {}
    refused: list[Question] = []
    for line in person_lines:
        found = read_person(line, canonical_code=canonical_code, is_usable_hash=is_usable_hash, now=now)
        if isinstance(found, Question):
            refused.append(found)
        elif found.ref in people:
            refused.append(Question(found.ref, found.ref, Why.REF_TWICE))
        else:
            people[found.ref] = found
    visits: dict[str, Visit] = {}
    ask: list[Question] = []
    first: Line | None = None
    for line in visit_lines:
        first = first or line
        visit = read_visit(line)
        if isinstance(visit, Question):
            ask.append(visit)
        elif visit.ref in visits:
            ask.append(Question(visit.ref, visit.person, Why.REF_TWICE, visit=visit))
        else:
            visits[visit.ref] = visit
    unknown = (
        *_unknown_columns(person_lines[:1], PERSON_COLUMNS),
        *_unknown_columns([first] if first else [], VISIT_COLUMNS),
    )
    parted, shared = _part_shared_contacts(list(people.values()))
    owing = [Question(one.ref, one.ref, Why.BALANCE_NEGATIVE) for one in parted if (one.balance or 0) < 0]
    return Read(tuple(parted), tuple(visits.values()), tuple(refused), (*ask, *shared, *owing), unknown)


def read_person(
    line: Line,
    *,
    canonical_code: Callable[[str], str | None],
    is_usable_hash: Callable[[str], bool],
    now: datetime,
) -> Person | Question:
    """Return the person of a line, or why it is refused. `is_usable_hash`: whether log-in can verify a password hash."""
    ref = _text(line, "ref")
    try:
        if not ref:
            raise BadValue(Why.REF_EMPTY, "ref")
        return Person(
            ref=ref,
            email=_read(line, "email", canonical_email, Why.EMAIL_UNREADABLE),
            phone=_read(line, "phone", lambda text: normalise_phone(text)[0], Why.PHONE_UNREADABLE),
            name=_text(line, "name")[:NAME_CHARS_MAX],
            code=_read(line, "code", canonical_code, Why.CODE_UNREADABLE),
            password_hash=_read(
                line,
                "password_hash",
                lambda text: text if is_usable_hash(text) else None,
                Why.HASH_UNUSABLE,
            ),
            email_proved=_flag(line, "email_proved"),
            phone_proved=_flag(line, "phone_proved"),
            balance=_whole(line, "balance", POINTS_MAX),
            created_at=_instant(line, "created_at", until=now + CLOCK_MAY_BE_AHEAD, zone_less_is_utc=True),
        )
    except BadValue as bad:
        return Question(ref, ref, bad.why, bad.column)


def read_visit(line: Line) -> Visit | Question:
    """Return the visit of a line, or why it is refused."""
    ref, person = _text(line, "ref"), _text(line, "person")
    try:
        if not ref:
            raise BadValue(Why.REF_EMPTY, "ref")
        record_id = _whole(line, "record_id", RECORD_ID_MAX)
        if record_id is not None and not 0 < record_id <= RECORD_ID_MAX:
            raise BadValue(Why.NO_RECORD_ID, "record_id")
        return Visit(
            ref=ref,
            person=intern(person),
            record_ids=record_ids_in(_text(line, "note")) if record_id is None else (record_id,),
            wall_time=_wall_time(line),
            starts_at=_instant(line, "starts_at"),
            service=intern(_text(line, "service")),
            points=_whole(line, "points", POINTS_MAX) or 0,
        )
    except BadValue as bad:
        return Question(ref, person, bad.why, bad.column)


def _text(line: Line, column: str) -> str:
    value = line.get(column)
    return "" if value is None else storable_text(str(value)).strip()[:FIELD_CHARS_MAX]


def _read(line: Line, column: str, understand: Callable[[str], str | None], otherwise: Why) -> str | None:
    text = _text(line, column)
    if not text:
        return None
    found = understand(text)
    if found is None:
        raise BadValue(otherwise, column)
    return found


def _flag(line: Line, column: str) -> bool:
    text = _text(line, column).casefold()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise BadValue(Why.NO_FLAG, column)


def _whole(line: Line, column: str, most: int) -> int | None:
    text = _text(line, column)
    if not text:
        return None
    try:
        number = Decimal(text)
        if number != number.to_integral_value() or abs(number) > most:
            raise BadValue(Why.NO_WHOLE_NUMBER, column)
    except InvalidOperation:
        raise BadValue(Why.NO_WHOLE_NUMBER, column) from None
    return int(number)


def _wall_time(line: Line) -> datetime | None:
    found = _time(line, "wall_time", LAST)
    if found is not None and found.tzinfo is not None:
        raise BadValue(Why.WALL_TIME_WITH_OFFSET, "wall_time")
    return found


def _instant(
    line: Line, column: str, *, until: datetime = LAST, zone_less_is_utc: bool = False
) -> datetime | None:
    found = _time(line, column, until)
    if found is None:
        return None
    if found.tzinfo is None:
        if not zone_less_is_utc:
            raise BadValue(Why.INSTANT_WITHOUT_OFFSET, column)
        found = found.replace(tzinfo=UTC)
    return found


def _time(line: Line, column: str, until: datetime) -> datetime | None:
    value = line.get(column)
    if isinstance(value, datetime):
        found = value
    else:
        text = _text(line, column)
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise BadValue(Why.NO_TIME, column) from None
    if not SINCE <= (found if found.tzinfo else found.replace(tzinfo=UTC)) <= until:
        raise BadValue(Why.TIME_FAR_OFF, column)
    return found


def _part_shared_contacts(people: list[Person]) -> tuple[list[Person], list[Question]]:
    """Mark a contact that several people share as unproved: families share a phone, and a typo can repeat an e-mail."""
    holders: dict[str, list[str]] = defaultdict(list)
    for one in people:
        for contact in filter(None, (one.email, one.phone)):
            holders[contact].append(one.ref)
    ask: list[Question] = []
    parted: list[Person] = []
    for one in people:
        shares = {
            why: others_of(holders[contact], one.ref)
            for why, contact in ((Why.SAME_EMAIL, one.email), (Why.SAME_PHONE, one.phone))
            if contact is not None and len(holders[contact]) > 1
        }
        ask += [Question(one.ref, one.ref, why, others) for why, others in shares.items()]
        parted.append(
            replace(
                one,
                email_proved=one.email_proved and Why.SAME_EMAIL not in shares,
                phone_proved=one.phone_proved and Why.SAME_PHONE not in shares,
            )
        )
    return parted, ask


def _unknown_columns(lines: Sequence[Line], known: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that the import ignores, from the first line: all lines have the same columns."""
    return tuple(name for line in lines[:1] for name in line if name not in known)
