"""What PostgreSQL itself says of how long each statement took, by database, while somebody works on them."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

import psycopg

NAME_LETTERS_MAX = 52
_LINE = re.compile(
    r"\S+ \S+ \S+ \[(\d+)\] (\S+) LOG: +duration: ([\d.]+) ms +(parse|bind|execute|statement)[^:]*: ?(.*)"
)


@dataclass
class Statements:
    """Milliseconds of each statement by its first words, by database; planning counts, parsing does not."""

    times: Mapping[str, Mapping[str, list[float]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )

    def of(self, database: str) -> Mapping[str, list[float]]:
        """Those of one database."""
        return self.times[database]


@contextmanager
def listening(dsn: str) -> Iterator[Statements]:
    """Yields what is empty until the block ends, then holds what ran inside it. The log grows by every statement's text."""
    told = Statements()
    with psycopg.connect(dsn, autocommit=True) as conn:
        row = conn.execute("select current_setting('data_directory'), pg_current_logfile()").fetchone()
        assert row is not None, "settings have values"
        path = Path(row[0]) / row[1]
        begins_at = path.stat().st_size
        _set(
            conn,
            log_line_prefix="'%m [%p] %d '",
            log_min_duration_statement="0",
            log_parameter_max_length="0",
        )
        try:
            yield told
        finally:
            _set(conn, log_line_prefix=None, log_min_duration_statement=None, log_parameter_max_length=None)
    with path.open(errors="replace") as log:
        log.seek(begins_at)
        _read(log, told)


def _set(conn: psycopg.Connection, **settings: str | None) -> None:
    for name, value in settings.items():
        conn.execute(
            (f"alter system set {name} = {value}" if value else f"alter system reset {name}").encode()
        )
    conn.execute("select pg_reload_conf()")


def _read(log: TextIO, told: Statements) -> None:
    bound: dict[str, float] = {}
    for pid, database, milliseconds, kind, text in _entries(log):
        if not text.strip():
            continue
        if kind == "bind":
            bound[pid] = milliseconds
        elif kind != "parse":
            told.times[database][_name(text)].append(milliseconds + bound.pop(pid, 0.0))


def _entries(log: TextIO) -> Iterator[tuple[str, str, float, str, str]]:
    """Process, database, milliseconds, kind and text of each entry; a text goes on in lines that begin with a tab."""
    entry: list[str] = []
    for line in [*log, ""]:
        if line.startswith("\t"):
            entry.append(line)
            continue
        found = _LINE.match("".join(entry)) if entry else None
        if found:
            pid, database, milliseconds, kind, first = found.groups()
            yield pid, database, float(milliseconds), kind, first + " ".join(entry[1:])
        entry = [line]


def _name(text: str) -> str:
    return " ".join(text.split())[:NAME_LETTERS_MAX]
