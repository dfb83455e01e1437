"""The mapping file and the source that it names: a PostgreSQL database (read-only) or CSV files."""

import csv
import re
import tomllib
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import LiteralString, cast

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from zerkalo.importing.model import Mapping
from zerkalo.importing.source.model import Line, Read
from zerkalo.importing.source.rules import read_lines
from zerkalo.users.importing.rules import UTF16_UNMARKED, encoding_of, separator_of

FETCHED_AT_ONCE = 2_000
CHUNK_BYTES = 1 << 20
STATEMENT_SECONDS_MAX = 600
_KEYS = {
    "source": {"url", "name"},
    "people": {"sql", "csv"},
    "visits": {"sql", "csv", "company_id"},
}


_URL_EXAMPLE = "postgresql://user:password@localhost/app"
_SCHEME = re.compile(r"([\w+.-]+)://")
_PASSWORD = re.compile(r"postgres(?:ql)?://[^:@/]*:(.*)@", re.DOTALL)
"""As its owner means it: up to the last @. libpq ends it at the first one, or at a slash."""


class MappingError(Exception):
    """An invalid mapping or an unreadable source. The message is one line that says what to change."""


def read_mapping(file: Path) -> Mapping:
    """Read the mapping from a TOML file; paths of CSV files are relative to its folder. Raises `MappingError`."""
    try:
        told = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(f"{file} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MappingError(f"{file} is no TOML: {error}") from error
    for section, values in told.items():
        if section not in _KEYS or not isinstance(values, dict):
            raise MappingError(f"[{section}] is not known; there are [source], [people] and [visits]")
        unknown = sorted(set(cast("dict[str, object]", values)) - _KEYS[section])
        if unknown:
            names = ", ".join(sorted(_KEYS[section]))
            raise MappingError(f"[{section}] {unknown[0]} is not known; there are {names}")
    mapping = Mapping(
        name=_text(told, "source", "name") or "app",
        url=_text(told, "source", "url"),
        people_sql=_text(told, "people", "sql"),
        people_csv=_path(told, "people", file.parent),
        visits_sql=_text(told, "visits", "sql"),
        visits_csv=_path(told, "visits", file.parent),
        company_id=_company(told),
    )
    _check(mapping)
    return mapping


@contextmanager
def open_source(mapping: Mapping) -> Generator["Source"]:
    """Yield the source; a database is read in one read-only snapshot. Raises `MappingError`."""
    if mapping.url is None:
        yield Source(mapping, None)
        return
    try:
        with _connect(mapping.url) as conn:
            conn.read_only = True
            conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            conn.execute("select set_config('statement_timeout', %s, true)", [f"{STATEMENT_SECONDS_MAX}s"])
            yield Source(mapping, conn)
    except psycopg.OperationalError as error:
        raise MappingError(f"[source] url: the database does not answer: {_first_line(error)}") from error


def _connect(url: str) -> psycopg.Connection:
    """Connect; a message about an address that can't be read would repeat it with its password, so it gets one of ours."""
    try:
        return psycopg.connect(url, application_name="zerkalo import")
    except (psycopg.ProgrammingError, UnicodeError):
        raise MappingError(_advice(url)) from None
    except psycopg.OperationalError:
        password = _PASSWORD.match(url.partition("?")[0])
        if password and set("@/") & set(password[1]):
            raise MappingError(_advice(url)) from None
        raise


def _advice(url: str) -> str:
    scheme = _SCHEME.match(url)
    if scheme and scheme[1] not in ("postgresql", "postgres"):
        return f"[source] url: {scheme[0]} is no address of PostgreSQL, write {_URL_EXAMPLE}"
    return (
        f"[source] url can't be read, write {_URL_EXAMPLE}; in the password write"
        " % as %25, @ as %40, / as %2F and a space as %20"
    )


class Source:
    """Both lists of the source; each is streamed once."""

    def __init__(self, mapping: Mapping, conn: psycopg.Connection | None) -> None:
        self._mapping = mapping
        self._conn = conn

    def people(self) -> Iterator[Line]:
        """Return the people, as loose values by column."""
        return self._lines("people", self._mapping.people_sql, self._mapping.people_csv)

    def visits(self) -> Iterator[Line]:
        """Return the visits, as loose values by column."""
        return self._lines("visits", self._mapping.visits_sql, self._mapping.visits_csv)

    def _lines(self, name: str, query: str | None, file: Path | None) -> Iterator[Line]:
        if query is None and file is None:
            return iter(())
        if query is None:
            assert file is not None, "asked above"
            return _csv_lines(file)
        assert self._conn is not None, "a mapping with a query has an address"
        return _sql_lines(self._conn, name, query)


def read_source(source: Source, *, is_usable_hash: Callable[[str], bool], now: datetime) -> Read:
    """Read both lists. Raises `MappingError` where the source can't be read."""
    return read_lines(list(source.people()), source.visits(), is_usable_hash=is_usable_hash, now=now)


def _sql_lines(conn: psycopg.Connection, name: str, query: str) -> Iterator[Line]:
    try:
        with conn.cursor(name=f"zerkalo_{name}", row_factory=dict_row) as cursor:
            cursor.itersize = FETCHED_AT_ONCE
            # The owner's own query against the owner's own database, in a read-only transaction.
            cursor.execute(sql.SQL(cast("LiteralString", query)))
            yield from cursor
    except psycopg.Error as error:
        raise MappingError(f"[{name}] sql: {_first_line(error)}") from error


def _csv_lines(file: Path) -> Iterator[Line]:
    """The lines of a table as spreadsheets save it, read as `import-users` reads its file."""
    try:
        with file.open("rb") as raw:
            encoding = encoding_of(iter(lambda: raw.read(CHUNK_BYTES), b""))
        if encoding is None:
            raise MappingError(f"{file} {UTF16_UNMARKED}")
        with file.open(encoding=encoding, errors="replace", newline="") as opened:
            separator, is_named = separator_of(opened.readline())
            if not is_named:
                opened.seek(0)
            # Strict, since an unclosed quote would take all following lines into one field.
            rows = csv.reader(opened, delimiter=separator, strict=True)
            columns = _columns(next(rows, list[str]()), file)
            for cells in rows:
                if any(cell.strip() for cell in cells[len(columns) :]):
                    # A decimal comma or an unquoted one moved all cells behind it: no column's value can be trusted.
                    line = rows.line_num + (1 if is_named else 0)
                    raise MappingError(
                        f"{file}, line {line} has more cells than the header: put quotes around a value with {separator!r}"
                    )
                if cells:
                    yield dict.fromkeys(columns) | dict(zip(columns, cells, strict=False))
    except OSError as error:
        raise MappingError(f"{file} can't be read: {error.strerror}") from error
    except csv.Error as error:
        raise MappingError(f"{file} can't be read as CSV: {error}") from error


def _columns(header: list[str], file: Path) -> list[str]:
    """The names of the header, as far as the last one that is not empty. Raises `MappingError` where one is repeated."""
    columns = [name.strip().lower() for name in header]
    while columns and not columns[-1]:
        columns.pop()
    for name in filter(None, columns):
        if columns.count(name) > 1:
            raise MappingError(f"{file} has the column {name} twice: leave one of them")
    return columns


def _check(mapping: Mapping) -> None:
    if mapping.people_sql is None and mapping.people_csv is None:
        raise MappingError("[people] is missing: give it sql or csv")
    if (mapping.people_sql or mapping.visits_sql) and mapping.url is None:
        raise MappingError(f'[source] url is missing, for example url = "{_URL_EXAMPLE}"')
    for name, both in (
        ("people", (mapping.people_sql, mapping.people_csv)),
        ("visits", (mapping.visits_sql, mapping.visits_csv)),
    ):
        if None not in both:
            raise MappingError(f"[{name}] has sql and csv: give it one of them")


def _text(told: dict[str, dict[str, object]], section: str, key: str) -> str | None:
    value = told.get(section, {}).get(key)
    if value is not None and not isinstance(value, str):
        raise MappingError(f"[{section}] {key} is no text")
    if value is not None and "\0" in value:
        raise MappingError(f"[{section}] {key} holds a NUL character (\\u0000): take it out")
    return value


def _path(told: dict[str, dict[str, object]], section: str, folder: Path) -> Path | None:
    name = _text(told, section, "csv")
    return None if name is None else folder / name


def _company(told: dict[str, dict[str, object]]) -> int | None:
    value = told.get("visits", {}).get("company_id")
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise MappingError("[visits] company_id is no number")
    return value


def _first_line(error: Exception) -> str:
    return (str(error).strip().split("\n") or [""])[0] or type(error).__name__
