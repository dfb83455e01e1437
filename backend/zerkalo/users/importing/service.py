"""Importing people: the whole file or nothing."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from psycopg.errors import UniqueViolation

from zerkalo.bookings import store as bookings
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
One = TypeVar("One")
ERASED = "names a person who was erased; take the line out"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did; nothing where there are `bad` lines."""

    added: int = 0
    completed: int = 0
    """Known users who got a name or a code that they lacked."""
    unchanged: int = 0
    phone_shared: int = 0
    """Added users whose phone somebody else has proved too: bookings with that phone alone fit both and link to neither."""
    bad: tuple[BadLine, ...] = ()


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
    a password that they lack: an import never adds a contact to an existing account. A line with a phone alone whose
    holders are all named by other lines, or are several without them, changes nothing: it can't be said whose it is. A user
    who has registered and proved nothing is not known; they take over the imported account by proving its contact.
    Importing the same file again changes nothing. With `contact_key` a line that would bring an erased person back is bad.
    """

    async def write(conn: Connection) -> ImportReport:
        await import_store.lock_imports(conn)
        # Look for everybody before writing anybody: else a line would meet a person whom an earlier line has just brought.
        found: list[Known] = []
        for batch in _batches(people):
            found += await import_store.known_people(conn, batch)
        new, known, bad = _sorted_out(people, found)
        erased = [] if contact_key is None else await erased_people(conn, new, contact_key)
        bad += [BadLine(line, ERASED) for line in erased]
        if bad:
            return ImportReport(bad=tuple(bad))
        added: list[int] = []
        completed = done = 0
        for batch in _batches(new):
            ids = await import_store.reserve_ids(conn, len(batch))
            people_of = {id_: _new_user(person) for id_, person in zip(ids, batch, strict=True)}
            await store.insert_people(conn, people_of, now=now)
            added += ids
            done += len(batch)
            on_progress(done)
        for batch in _batches([*known.items()]):
            known_of = {id_: _new_user(person) for id_, person in batch}
            completed += await store.complete_people(conn, known_of, now=now)
            await bookings.write_codes_of(conn, list(known_of), now=now)
            done += len(batch)
            on_progress(done)
        if done < len(people):
            on_progress(len(people))
        shared = await import_store.count_sharing_phone(conn, added)
        return ImportReport(len(new), completed, len(people) - len(new) - completed, shared)

    try:
        return await in_transaction(pool, write, lock_timeout_seconds=60)
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


def _batches(ones: Sequence[One]) -> Iterator[Sequence[One]]:
    return (ones[start : start + BATCH] for start in range(0, len(ones), BATCH))


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
    """(new ones, known ones by user id, bad lines).

    In neither: a line with a phone alone whose holder can't be told. Families share a phone, and each of them may have a
    line; without this the child's line would give a name or a password to the mother, who has the number too.
    """
    named = {id_ for found in known for id_ in (*found.by_code, *found.by_email)}
    new: list[ImportedPerson] = []
    met: dict[int, ImportedPerson] = {}
    bad: list[BadLine] = []
    for person, found in zip(people, known, strict=True):
        ids = {*found.by_code, *found.by_email}
        if found.is_code_retired:
            bad.append(BadLine(person.line, "has a code that was an erased person's"))
        elif len(ids) > 1:
            numbers = ", ".join(str(user_id) for user_id in sorted(ids))
            bad.append(BadLine(person.line, f"names several users at once: {numbers}"))
        elif ids:
            met.setdefault(ids.pop(), person)
        elif not found.by_phone:
            new.append(person)
        elif len(holders := set(found.by_phone) - named) == 1:
            met.setdefault(holders.pop(), person)
    return new, met, bad
