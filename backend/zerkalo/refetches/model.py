"""A record to ask YCLIENTS for once more."""

import msgspec

CHANGES = 0
"""Stands where a record's id does (they begin at 1): what has changed lately is to be read, in place of single records."""


class Refetch(msgspec.Struct, frozen=True):
    """A row of `refetches`: wanted, or claimed by whoever is about to ask.

    `unsigned`: only unsigned calls want it, so it may use a third of the rate limit. `generation` is raised by every request
    for the same record, `attempts` counts those that failed; both are known once it is claimed.
    """

    company_id: int
    record_id: int
    reason: str
    unsigned: bool = False
    generation: int = 0
    attempts: int = 0
