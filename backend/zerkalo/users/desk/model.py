"""The desk's values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """What the staff write of a person; the phone E.164."""

    email: str | None
    phone: str | None
    name: str
    note: str
