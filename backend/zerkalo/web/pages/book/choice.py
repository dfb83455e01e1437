"""What somebody has chosen and typed on the way to a booking, carried from step to step in the address or in the form."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from zerkalo.booking_form.rules import CODE_CHARS_MAX, COMMENT_CHARS_MAX, NAME_CHARS_MAX, SERVICES_MAX
from zerkalo.web.pages.book.days import read_day
from zerkalo.web.pages.forms import Form

KEY_CHARS_MAX = 64
_TYPED = {
    "name": NAME_CHARS_MAX,
    "phone": 64,
    "email": 320,
    # A comment that is too long is shown again with the reason, not cut silently.
    "comment": COMMENT_CHARS_MAX * 10,
    "code": CODE_CHARS_MAX,
    "consent": 1,
    "sms": 1,
    "key": KEY_CHARS_MAX,
}

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Choice:
    """The choices made so far; None or empty: not chosen yet."""

    company_id: int | None = None
    service_ids: tuple[int, ...] = ()
    staff_id: int | None = None
    """0 is anybody."""
    day: date | None = None
    starts_at: datetime | None = None

    def until(self, step: str) -> "Choice":
        """Return the choice as it was before that step, without the later choices, which depend on it."""
        cleared = {"starts_at": None}
        if step in ("branch", "services", "staff"):
            cleared |= {"day": None, "staff_id": None}
        if step in ("branch", "services"):
            cleared |= {"service_ids": ()}
        if step == "branch":
            cleared |= {"company_id": None}
        return replace(self, **cleared)

    def pairs(self) -> Pairs:
        """Return the choice as the fields of an address or a form."""
        pairs = [] if self.company_id is None else [("company", str(self.company_id))]
        pairs += [("service", str(service_id)) for service_id in self.service_ids]
        if self.staff_id is not None:
            pairs.append(("staff", str(self.staff_id)))
        if self.day is not None:
            pairs.append(("day", self.day.isoformat()))
        if self.starts_at is not None:
            pairs.append(("time", self.starts_at.isoformat()))
        return pairs


@dataclass(frozen=True, slots=True)
class Typed:
    """The typed fields, unchanged."""

    name: str = ""
    phone: str = ""
    email: str = ""
    comment: str = ""
    code: str = ""
    consent: str = ""
    sms: str = ""
    """Not empty: the salon wants the phone confirmed, and a code was sent."""
    key: str = ""
    """The idempotency key: the same form sent twice books once."""

    def pairs(self) -> Pairs:
        """Return what was typed as the fields of a form, without empty ones."""
        return [(name, getattr(self, name)) for name in _TYPED if getattr(self, name)]


def read_choice(form: Form) -> Choice:
    """Read the choice from an address or a form. What can't be parsed counts as not chosen."""
    starts_at = read_moment(form.text("time"))
    return Choice(
        company_id=form.number("company"),
        service_ids=tuple(form.numbers("service")[:SERVICES_MAX]),
        staff_id=form.number("staff"),
        day=read_day(form.text("day")) or (starts_at.date() if starts_at else None),
        starts_at=starts_at,
    )


def read_typed(form: Form) -> Typed:
    """Read what was typed. A key with characters that ours never have is dropped: it is sent as a header's value."""
    typed = {name: form.text(name, chars_max) for name, chars_max in _TYPED.items()}
    key = typed["key"]
    if not (key.isascii() and key.replace("-", "").replace("_", "").isalnum()):
        typed["key"] = ""
    return Typed(**typed)


def read_moment(text: str) -> datetime | None:
    """Parse a time as our forms carry it, ISO 8601 with its offset; None for anything else."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
