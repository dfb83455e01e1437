"""Importing people: the whole file or nothing."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.errors import UniqueViolation

from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.outbox.model import Channel
from zerkalo.users import store
from zerkalo.users.erasing.rules import contact_digest
from zerkalo.users.erasing.store import erased_among
from zerkalo.users.importing import store as import_store
from zerkalo.users.importing.rules import BadLine, ImportedPerson, Known
from zerkalo.users.model import NewUser

BATCH = 1000
ERASED = "names a person who was erased; take the line out"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did; nothing where there are `bad` lines."""

    added: int = 0
    completed: int = 0
    """Known users who got a name or a code that they lacked."""
    unchanged: int = 0
    bad: tuple[BadLine, ...] = ()


class _Refused(Exception):
    """Rolls the transaction back."""

    def __init__(self, bad: Sequence[BadLine]) -> None:
        super().__init__()
        self.bad = tuple(bad)


async def import_people(
    pool: Pool,
    people: Sequence[ImportedPerson],
    *,
    now: datetime,
    contact_key: bytes | None = None,
    on_progress: Callable[[int], None] = lambda _done: None,
) -> ImportReport:
    """Create everybody who is not there yet, contacts proved; all of them or, where a line is bad, nobody.

    A user known by code, by a proved e-mail, or by a proved phone where the line has neither, gets only a name, a code or
    a password that they lack: an import never adds a contact to an existing account. A user who has registered and proved
    nothing is not known; they take over the imported account by proving its contact. Importing the same file again changes
    nothing. With `contact_key` a line that would bring an erased person back is bad.
    """

    async def write(conn: Connection) -> ImportReport:
        await import_store.lock_imports(conn)
        added = completed = 0
        bad: list[BadLine] = []
        for start in range(0, len(people), BATCH):
            batch = people[start : start + BATCH]
            new, known, refused = _sorted_out(batch, await import_store.known_people(conn, batch))
            erased = [] if contact_key is None else await erased_people(conn, new, contact_key)
            bad += [*refused, *(BadLine(line, ERASED) for line in erased)]
            if not bad:
                ids = await import_store.reserve_ids(conn, len(new))
                people_of = {id_: _new_user(person) for id_, person in zip(ids, new, strict=True)}
                await store.insert_people(conn, people_of, now=now)
                added += len(new)
                known_of = {id_: _new_user(person) for id_, person in known.items()}
                completed += await store.complete_people(conn, known_of, now=now)
            on_progress(start + len(batch))
        if bad:
            raise _Refused(bad)
        return ImportReport(added, completed, len(people) - added - completed)

    try:
        return await in_transaction(pool, write, lock_timeout_seconds=60)
    except _Refused as refused:
        return ImportReport(bad=refused.bad)
    except UniqueViolation:
        return ImportReport(
            bad=(BadLine(0, "somebody registered or proved a contact meanwhile; run the import again"),)
        )


async def erased_people(conn: Connection, people: Sequence[ImportedPerson], contact_key: bytes) -> list[int]:
    """The lines of people, none of them a user, who were erased and have not registered again."""
    lines: dict[bytes, set[int]] = defaultdict(set)
    for person in people:
        for channel, contact in ((Channel.EMAIL, person.email), (Channel.PHONE, person.phone)):
            if contact is not None:
                lines[contact_digest(contact_key, channel, contact)].add(person.line)
    return sorted({line for digest in await erased_among(conn, list(lines)) for line in lines[digest]})


def _new_user(person: ImportedPerson) -> NewUser:
    return NewUser(
        email=person.email,
        phone=person.phone,
        name=person.name,
        unique_code=person.unique_code,
        password_hash=person.password_hash,
        email_proved=True,
        phone_proved=True,
    )


def _sorted_out(
    people: Sequence[ImportedPerson], known: Sequence[Known]
) -> tuple[list[ImportedPerson], dict[int, ImportedPerson], list[BadLine]]:
    """(new ones, known ones by user id, bad lines)."""
    new: list[ImportedPerson] = []
    met: dict[int, ImportedPerson] = {}
    bad: list[BadLine] = []
    for person, found in zip(people, known, strict=True):
        ids = {*found.by_code, *found.by_email} or {*found.by_phone}
        if found.is_code_retired:
            bad.append(BadLine(person.line, "has a code that was an erased person's"))
        elif len(ids) > 1:
            numbers = ", ".join(str(user_id) for user_id in sorted(ids))
            bad.append(BadLine(person.line, f"names several users at once: {numbers}"))
        elif not ids:
            new.append(person)
        else:
            met.setdefault(ids.pop(), person)
    return new, met, bad
