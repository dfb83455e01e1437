"""The journal of erasures: a file of ids beside the data. After a restore it says who must be erased again."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from zerkalo.users.erasing.model import Erasure

SUFFIX = ".erasures.jsonl"


def journal_beside(path: Path) -> Path:
    """The journal that belongs to a data folder or to a backup: `data` -> `data.erasures.jsonl` beside it."""
    return path.with_name(path.name + SUFFIX)


def append(path: Path, erasures: Sequence[Erasure]) -> int:
    """Append the erasures that the file lacks; return how many. The file is readable by its owner only.

    They begin a line of their own even where the last one in the file was cut off.
    """
    known = {_identity(one) for one in read(path)}
    new = [one for one in erasures if _identity(one) not in known]
    if new:
        path.touch(mode=0o600, exist_ok=True)
        lines = b"".join(msgspec.json.encode(_unnumbered(one)) + b"\n" for one in new)
        written = path.read_bytes()
        with path.open("ab") as file:
            file.write(lines if not written or written.endswith(b"\n") else b"\n" + lines)
    return len(new)


def read(path: Path) -> list[Erasure]:
    """Every erasure in the file, oldest first; none where the file is missing. Skips a truncated line."""
    if not path.is_file():
        return []
    found: list[Erasure] = []
    for line in path.read_bytes().splitlines():
        try:
            found.append(msgspec.json.decode(line, type=Erasure))
        except msgspec.DecodeError:
            continue
    return found


def merged(journals: Iterable[Sequence[Erasure]]) -> list[Erasure]:
    """Several journals as one, without duplicates."""
    return sorted(
        {_identity(one): one for journal in journals for one in journal}.values(), key=lambda one: one.at
    )


def _identity(erasure: Erasure) -> bytes:
    return msgspec.json.encode(_unnumbered(erasure))


def _unnumbered(erasure: Erasure) -> Erasure:
    return Erasure(erasure.at, erasure.user_id, erasure.bookings, erasure.cards)
