"""Time zones by their rules, not by their names: which offsets hold when, and the version of the zone data.

The operating system's data come first, as `zoneinfo` has it, then those of the package `tzdata`.
"""

import zoneinfo
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from hashlib import blake2b
from importlib import resources
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import tzdata

FIRST = datetime(2000, 1, 1, tzinfo=UTC)
LAST = datetime(2040, 1, 1, tzinfo=UTC)
"""All visits lie between the two: a history begins in 2000, and no salon books further ahead."""
STEP = timedelta(days=7)
"""No zone changes its offset twice within a week and comes back to the same (since 2000)."""


class ZoneRules(msgspec.Struct, frozen=True):
    """What a zone's name means on one machine."""

    fingerprint: str
    """Equal where every instant between `FIRST` and `LAST` has the same offset."""
    version: str
    """The version of the zone data, as IANA names it: `2025b`; "" where unknown."""


@lru_cache(maxsize=1024)
def zone_of(timezone_name: str | None) -> ZoneInfo | None:
    """Return the salon's zone by its IANA name; None where it is missing or unknown."""
    if not timezone_name:
        return None
    try:
        return ZoneInfo(timezone_name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=1024)
def rules_of(zone: ZoneInfo) -> ZoneRules:
    """Return the rules of a zone as this process has them."""
    return ZoneRules(_fingerprint(zone), data_version(zone.key, zoneinfo.TZPATH))


def is_outdated(fingerprint: str | None, version: str | None, ours: ZoneRules) -> bool:
    """Return whether `ours` differ from the rules with this fingerprint (None: none) and come from older data."""
    return fingerprint not in (None, ours.fingerprint) and ours.version < (version or "")


@lru_cache(maxsize=1024)
def packaged_rules(key: str) -> ZoneRules | None:
    """Return the rules of a zone from the package `tzdata`, not the system's; None where it has no such zone."""
    area, _, place = key.rpartition("/")
    package = ".".join(["tzdata.zoneinfo", *(area.split("/") if area else ())])
    try:
        with (resources.files(package) / place).open("rb") as file:
            return ZoneRules(_fingerprint(ZoneInfo.from_file(file, key)), tzdata.IANA_VERSION)
    except (OSError, ImportError, ValueError):
        return None


def data_version(key: str, paths: Sequence[str]) -> str:
    """Return the version of the data that define the zone: of the first of these folders that has it, else the package's."""
    for folder in map(Path, paths):
        if (folder / key).is_file():
            return _version_in(folder)
    return tzdata.IANA_VERSION


def _fingerprint(zone: tzinfo) -> str:
    text = " ".join(f"{at:%Y-%m-%dT%H:%M:%S}{offset}" for at, offset in _offsets(zone))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _offsets(zone: tzinfo) -> Iterator[tuple[datetime, timedelta | None]]:
    """Yield each offset of the zone with the instant (UTC) from which it holds."""
    at, offset = FIRST, FIRST.astimezone(zone).utcoffset()
    yield at, offset
    while at < LAST:
        following = at + STEP
        new = following.astimezone(zone).utcoffset()
        if new != offset:
            yield _change(zone, at, following), new
        at, offset = following, new


def _change(zone: tzinfo, before: datetime, after: datetime) -> datetime:
    """The second at which the offset of `after` begins to hold."""
    new = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=int((after - before).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == new:
            after = middle
        else:
            before = middle
    return after


def _version_in(folder: Path) -> str:
    try:
        first_line = (folder / "tzdata.zi").open(encoding="utf-8").readline()
    except OSError:
        first_line = ""
    if first_line.startswith("# version "):
        return first_line.removeprefix("# version ").strip()
    try:
        return (folder / "+VERSION").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
