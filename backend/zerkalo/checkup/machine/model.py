"""Facts about the machine, frozen. None: not examined, or not available."""

from dataclasses import dataclass
from enum import StrEnum


class Refusal(StrEnum):
    """Why a database that answers accepts no writes."""

    DISK_FULL = "database_full"
    READ_ONLY = "database_read_only"
    """A standby, or a server that its hosting provider made read-only, as some do when its disk fills up."""


class Failure(StrEnum):
    """The step at which a connection to a host fails."""

    NAME = "name"
    """DNS has no address for its name."""
    CONNECT = "connect"
    """The address does not answer."""
    TLS = "tls"
    """Its certificate is not trusted."""


@dataclass(frozen=True, slots=True)
class Reach:
    """One try to reach a host. `clock_ahead_seconds`: our clock minus its `Date` header."""

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
    """Everything that a check-up examined on the machine."""

    postgres_version: int | None = None
    """As in `server_version_num`: 150018 is 15.18."""
    is_embedded: bool = False
    refusal: Refusal | None = None
    clock_ahead_seconds: float | None = None
    """Our clock minus the database's."""
    data_dir: str = ""
    free_bytes: int | None = None
    loose_files: tuple[LooseFile, ...] = ()
    journal: str = ""
    """The path of the journal of erasures beside DATA_DIR."""
    erasures_lacking: int = 0
    """Erasures in it that the database lacks: it was restored, and they were not applied again."""
    yclients: Reach | None = None
    other_host: str | None = None
    """YCLIENTS's host under its other domain, if that answers and the configured one does not."""
