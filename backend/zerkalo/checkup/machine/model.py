"""What was seen of the machine, frozen. None: it was not looked at, or could not be seen."""

from dataclasses import dataclass
from enum import StrEnum


class Refusal(StrEnum):
    """Why a database that answers takes nothing new."""

    DISK_FULL = "database_full"
    READ_ONLY = "database_read_only"
    """A standby, or a server whose host has set it so: some do when its disk fills up."""


class Failure(StrEnum):
    """Where the way to a host ends."""

    NAME = "name"
    """Its name has no address: DNS."""
    CONNECT = "connect"
    """Nobody answers at the address."""
    TLS = "tls"
    """Its certificate is not believed."""


@dataclass(frozen=True, slots=True)
class Reach:
    """One try to reach a host. `clock_ahead_seconds`: of ours, against its `Date` header."""

    host: str
    failure: Failure | None = None
    reason: str = ""
    clock_ahead_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class LooseFile:
    """A file with a secret that others on the machine can read."""

    path: str
    mode: str


@dataclass(frozen=True, slots=True)
class Machine:
    """What a check-up saw."""

    postgres_version: int | None = None
    """As `server_version_num` has it: 150018 is 15.18."""
    is_embedded: bool = False
    refusal: Refusal | None = None
    clock_ahead_seconds: float | None = None
    """Of ours, against the database's."""
    data_dir: str = ""
    free_bytes: int | None = None
    loose_files: tuple[LooseFile, ...] = ()
    yclients: Reach | None = None
    other_host: str | None = None
    """YCLIENTS's host under its other domain, which answers where the set one does not."""
