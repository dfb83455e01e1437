"""Save the truth to a file, so that a restarted emulator continues: a mirror would report a new one as drift."""

import asyncio
import contextlib
import os
from pathlib import Path

import msgspec

from yclients_emulator.emulator import Emulator
from yclients_emulator.model import Client, Record

KEEP_SECONDS = 1.0


class Kept(msgspec.Struct):
    """The data that change while the emulator runs; branches, specialists and services come from the seed."""

    clients: list[Client]
    records: list[Record]
    next_ids: dict[str, int]


def save(emulator: Emulator, path: Path) -> None:
    """Write the truth to the file atomically."""
    vendor = emulator.vendor
    records = [record for of_company in vendor.records.values() for record in of_company.values()]
    kept = Kept(list(vendor.clients.values()), records, vendor.next_ids)
    new = path.with_suffix(".new")
    new.write_bytes(msgspec.json.encode(kept))
    os.replace(new, path)


def load(emulator: Emulator, path: Path) -> bool:
    """Replace the generated history by the truth in the file; return False where there is no readable file."""
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=Kept)
    except (OSError, msgspec.MsgspecError):
        return False
    emulator.vendor.replace_life(kept.clients, kept.records, kept.next_ids)
    return True


async def keep(emulator: Emulator, path: Path) -> None:
    """Write the truth whenever it has changed; for `emulator.background`. Writes once more when it is cancelled."""
    written: object = None
    try:
        while True:
            if written != (now := _state(emulator)):
                with contextlib.suppress(OSError):  # a full disk: it is tried again in a second
                    save(emulator, path)
                    written = now
            await asyncio.sleep(KEEP_SECONDS)
    finally:
        save(emulator, path)


def _state(emulator: Emulator) -> object:
    vendor = emulator.vendor
    return dict(vendor.revisions), len(vendor.clients)
