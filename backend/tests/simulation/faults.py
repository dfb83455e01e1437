"""The kinds of fault that the simulation promises, as its report counts them."""

from collections.abc import Mapping

PROMISED = (
    "delivery: lost",
    "delivery: sent four times",
    "delivery: overtaken",
    "delivery: late by hours or days",
    "delivery: partial",
    "delivery: a bare deletion",
    "delivery: forged",
    "delivery: unreadable",
    "delivery: from the future",
    "record: changed twice in one second",
    "record: in an hour that a night has twice or not at all",
    "vendor: status 429",
    "vendor: status 500",
    "vendor: status 503",
    "vendor: timeout",
    "vendor: cut",
    "vendor: disconnect",
    "vendor: html 200",
    "vendor: html 502",
    "vendor: success_false",
    "vendor: unauthorized",
    "vendor: forbidden",
    "vendor: licence 402",
    "vendor: no connection",
    "vendor: count clamped",
    "vendor: list shifts while it is read",
    "vendor: over the rate limit",
    "vendor: clock wrong for a while",
    "seed: clocks apart",
    "seed: two processes",
    "process: crash before a transaction",
    "process: crash before a commit",
    "process: crash right after a commit",
    "process: crash after a commit",
    "process: connection lost before a transaction",
    "process: connection lost before a commit",
    "process: connection lost right after a commit",
    "process: connection lost after a commit",
    "database: away",
    "database: refused while away",
    "engine: bell lost",
)


def never_injected(counted: Mapping[str, int]) -> list[str]:
    """The promised kinds that hit nobody."""
    return [kind for kind in PROMISED if not counted.get(kind)]
