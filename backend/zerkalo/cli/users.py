"""`zerkalo user add|list|make-admin` and `zerkalo import-users`."""

import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from zerkalo.auth.audit.service import audit
from zerkalo.auth.model import Role
from zerkalo.auth.passwords.rules import hash_password, is_usable_hash
from zerkalo.auth.rules import PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN
from zerkalo.cli.shared.companies import log_warnings
from zerkalo.cli.shared.failure import CommandFailed
from zerkalo.cli.shared.progress import progress
from zerkalo.codes.rules import canonical_code, new_code
from zerkalo.codes.store import count_without_code
from zerkalo.composition import Parts, command_parts
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.contact import canonical_email
from zerkalo.kit.phone import normalise_phone
from zerkalo.kit.text import storable_text
from zerkalo.outbox.model import Channel
from zerkalo.users import store
from zerkalo.users.desk.store import search_users
from zerkalo.users.importing.rules import BadLine, other_columns, read_people
from zerkalo.users.importing.service import import_people
from zerkalo.users.model import NewUser, User
from zerkalo.users.proving import store as proofs
from zerkalo.users.service import CodeTaken, EmailTaken, add_user

LIST_BATCH = 500
BAD_LINES_SHOWN = 20
IMPORT_BYTES_MAX = 100_000_000


async def add(
    email: Annotated[str, typer.Argument(help="The e-mail, which is the log-in.")],
    phone: Annotated[str, typer.Option(help="The phone, with country code.")] = "",
    name: Annotated[str, typer.Option(help="The name.")] = "",
    code: Annotated[str, typer.Option(help="The code that the user already has; else one is made.")] = "",
    password: Annotated[
        str,
        typer.Option(
            help="`-` reads it from the terminal or from standard input; without it the user can't sign in yet."
        ),
    ] = "",
    admin: Annotated[bool, typer.Option("--admin", help="Make the user an admin.")] = False,
) -> None:
    """Add a user. Contacts entered here count as proved."""
    new = _new_user(email, phone, name, code, _password(password), is_admin=admin)
    async with command_parts() as parts:
        log_warnings(parts.settings)

        async def write(conn: Connection) -> User:
            await _check_phone_is_free(conn, new.phone)
            user = await add_user(conn, new, now=parts.clock(), new_code=new_code)
            await audit(conn, None, "user.add", f"user {user.id}", {"is_admin": admin}, parts.clock())
            return user

        try:
            user = await in_transaction(parts.pool, write)
        except EmailTaken:
            raise CommandFailed(
                "somebody has this e-mail already; `zerkalo user list --search` shows who"
            ) from None
        except CodeTaken:
            raise CommandFailed(
                "this code is somebody's, or was; leave --code out to have one made"
            ) from None
        await parts.people.look_for_bookings(user.id)
        print(f"{user.id}\t{user.email}\t{user.unique_code}")


async def list_users(
    search: Annotated[str, typer.Option(help="A part of an e-mail, a phone, a code or a name.")] = "",
) -> None:
    """List the users, newest first: id, e-mail, phone, name, code, admin. `?` marks a contact that is not proved."""
    async with command_parts() as parts:
        log_warnings(parts.settings)
        before_id: int | None = None
        while True:
            async with parts.pool.connection() as conn:
                users = await search_users(conn, text=search.strip(), before_id=before_id, limit=LIST_BATCH)
            for user in users:
                print(_line(user))
            if len(users) < LIST_BATCH:
                return
            before_id = users[-1].id


async def make_admin(
    user: Annotated[str, typer.Argument(help="The e-mail or the id.")],
) -> None:
    """Make a user an admin."""
    async with command_parts() as parts:
        log_warnings(parts.settings)

        async def write(conn: Connection) -> User:
            found = await _named(conn, user)
            await store.write_role(conn, found.id, Role.OWNER, now=parts.clock())
            await audit(conn, None, "user.make_admin", f"user {found.id}", {}, parts.clock())
            return found

        found = await in_transaction(parts.pool, write)
        print(f"{found.id}\t{found.email}\tadmin")


async def import_users(
    file: Annotated[
        Path,
        typer.Argument(
            help="A CSV file with the header email,phone,name,unique_code,password_hash, any left empty."
        ),
    ],
) -> None:
    """Add the users of a CSV file: all of them or, where a line is bad, none. Safe to repeat."""
    try:
        if file.stat().st_size > IMPORT_BYTES_MAX:
            raise CommandFailed(f"{file} is larger than {IMPORT_BYTES_MAX // 1_000_000} MB: split it")
        content = file.read_bytes()
    except OSError as error:
        raise CommandFailed(f"{file} can't be read: {error.strerror}") from None
    people, bad = read_people(content, canonical_code=canonical_code, is_usable_hash=is_usable_hash)
    _refuse(bad)
    passed_over = other_columns(content)
    if passed_over:
        print(f"Столбцы не импортируются: {', '.join(map(_printable, passed_over))}.")
    async with command_parts() as parts:
        log_warnings(parts.settings)
        with progress("import", len(people)) as show:
            report = await import_people(
                parts.pool,
                people,
                now=parts.clock(),
                contact_key=parts.people.proof_key,
                on_progress=show,
            )
        _refuse(report.bad)
        print(f"Добавлено: {report.added}, дополнено: {report.completed}, без изменений: {report.unchanged}.")
        if report.phone_shared:
            print(
                f"Телефон подтверждён ещё у кого-то: {report.phone_shared} из добавленных. Записи с одним этим телефоном"
                " подходят обоим и сами не привяжутся ни к кому."
            )
        await _tell_codes(parts)


async def _tell_codes(parts: Parts) -> None:
    async with parts.pool.connection() as conn:
        missing = await count_without_code(conn)
    if missing:
        print(f"Без кода: {missing}. Выдать коды: zerkalo codes")


def _refuse(bad: list[BadLine] | tuple[BadLine, ...]) -> None:
    """Print the bad lines and end the command, where there are any."""
    if not bad:
        return
    for found in bad[:BAD_LINES_SHOWN]:
        where = f"line {found.line}: " if found.line else ""
        print(f"{where}{found.problem}", file=sys.stderr)
    raise CommandFailed(
        f"{len(bad)} lines can't be taken, so nothing was imported; mend them and run it again"
    )


async def _check_phone_is_free(conn: Connection, phone: str | None) -> None:
    """End the command where somebody has proved the phone: with two holders it would link and open nothing for either."""
    if phone is None:
        return
    await proofs.lock_contact(conn, Channel.PHONE, phone)
    holders = await proofs.holders_of_phone(conn, phone)
    if holders:
        raise CommandFailed(
            f"user {holders[0].id} has proved this phone; leave --phone out, or correct it on their page of the desk"
        )


def _new_user(
    email: str, phone: str, name: str, code: str, password: str | None, *, is_admin: bool
) -> NewUser:
    """The user that the arguments describe; wrong ones end the command with the exit code of wrong usage."""
    canonical = canonical_email(email)
    if canonical is None:
        raise typer.BadParameter("this is no e-mail address", param_hint="EMAIL")
    e164 = normalise_phone(phone)[0]
    if phone and e164 is None:
        raise typer.BadParameter("this is no phone number", param_hint="--phone")
    unique_code = canonical_code(code)
    if code and unique_code is None:
        raise typer.BadParameter("a code is 8 letters and digits", param_hint="--code")
    return NewUser(
        email=canonical,
        phone=e164,
        name=storable_text(name, 200).strip(),
        unique_code=unique_code,
        password_hash=hash_password(password) if password is not None else None,
        role=Role.OWNER if is_admin else None,
        email_proved=True,
        phone_proved=e164 is not None,
    )


def _password(given: str) -> str | None:
    if not given:
        return None
    if given == "-":
        given = (
            typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
            if sys.stdin.isatty()
            else sys.stdin.readline().rstrip("\r\n")
        )
    if not PASSWORD_CHARS_MIN <= len(given) <= PASSWORD_CHARS_MAX:
        raise typer.BadParameter(
            f"a password has {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters", param_hint="--password"
        )
    return given


async def _named(conn: Connection, user: str) -> User:
    """The user with an id or a proved e-mail. Not with a claimed e-mail: a stranger could become an admin."""
    if user.isascii() and user.isdigit() and len(user) < 19:
        found = await store.read_user(conn, int(user), lock=True)
        if found is not None and found.erased_at is None:
            return found
        raise CommandFailed(f"there is no user {user}; `zerkalo user list` shows them")
    email = canonical_email(user)
    holder = await proofs.holder_of_email(conn, email, lock=True) if email is not None else None
    if holder is not None:
        return holder
    claimants = await proofs.claimants_of_email(conn, email) if email is not None else []
    if claimants:
        ids = ", ".join(str(claimant.id) for claimant in claimants)
        raise CommandFailed(
            f"nobody has proved this e-mail, and anybody may claim it: name the user by id ({ids})"
        )
    raise CommandFailed("nobody has this e-mail; `zerkalo user list` shows everybody")


def _line(user: User) -> str:
    fields = (
        str(user.id),
        _marked(user.email, user.email_verified_at),
        _marked(user.phone, user.phone_verified_at),
        " ".join(user.name.split()),
        user.unique_code or "-",
        "admin" if user.is_admin else user.role or "-",
    )
    # A name may contain anything: keep control characters from the terminal.
    return "\t".join(map(_printable, fields))


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


def _marked(contact: str | None, verified_at: datetime | None) -> str:
    if contact is None:
        return "-"
    return contact if verified_at is not None else f"{contact}?"
