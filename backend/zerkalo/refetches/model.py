"""A record to ask YCLIENTS for once more."""

import msgspec

CHANGES = 0
"""Used in place of a record's id (real ones begin at 1): read all recent changes instead of single records."""


class Refetch(msgspec.Struct, frozen=True):
    """A row of `refetches`: requested, or claimed by a process about to ask YCLIENTS.

    `unsigned`: only unsigned calls requested it, so it may use a third of the rate limit. `generation` is raised by
    every request for the same record, `attempts` counts failed tries; both are known once it is claimed.
    """

    company_id: int
    record_id: int
    reason: str
    unsigned: bool = False
    generation: int = 0
    attempts: int = 0
