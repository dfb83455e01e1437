"""Zone data of another time: a folder of compiled zones that stands before the system's."""

import struct
import zoneinfo
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from zerkalo.kit.zones import rules_of, zone_of


@contextmanager
def zones_from(folder: Path, offsets: Mapping[str, timedelta], *, version: str = "") -> Iterator[None]:
    """Within the block these names mean these offsets, all year, to everything in this process."""
    for name, offset in offsets.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(fixed_offset_file(offset))
    if version:
        (folder / "tzdata.zi").write_text(f"# version {version}\n")
    before = zoneinfo.TZPATH
    _look_in((str(folder), *before))
    try:
        yield
    finally:
        _look_in(before)


def fixed_offset_file(offset: timedelta) -> bytes:
    """A compiled zone (RFC 8536, version 1) with one offset: what `zic` makes of `Zone X 6:00 - +06`."""
    seconds = int(offset.total_seconds())
    name = f"{seconds // 3600:+03d}".encode() + b"\0"
    counts = struct.pack(">6l", 0, 0, 0, 0, 1, len(name))
    return b"TZif" + b"\0" * 16 + counts + struct.pack(">lBB", seconds, 0, 0) + name


def _look_in(paths: tuple[str, ...]) -> None:
    zoneinfo.reset_tzpath(paths)
    ZoneInfo.clear_cache()
    zone_of.cache_clear()
    rules_of.cache_clear()
