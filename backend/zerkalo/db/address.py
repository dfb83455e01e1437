"""The address of a database, with the schema of our tables.

The schema is part of the address, as the connection option `search_path`, so that a connection by any driver or
program uses our tables and no other program's.
"""

import re

from psycopg.conninfo import conninfo_to_dict, make_conninfo

SCHEMA_DEFAULT = "zerkalo"
SCHEMA_PATTERN = r"[a-z_][a-z0-9_]{0,62}"
"""Names that need no quotes in connection options."""

_SEARCH_PATH = re.compile(rf"-c\s*search_path=({SCHEMA_PATTERN})(?=\s|$)")


def in_schema(dsn: str, schema: str = SCHEMA_DEFAULT) -> str:
    """The address `dsn` with `schema` as its whole search path; other options in it stay."""
    assert re.fullmatch(SCHEMA_PATTERN, schema), "the settings let no other name pass"
    others = str(conninfo_to_dict(dsn).get("options") or "")
    kept = re.sub(r"-c\s*search_path=\S+", "", others).strip()
    return make_conninfo(dsn, options=f"{kept} -c search_path={schema}".strip())


def schema_of(dsn: str) -> str:
    """The schema of an address made by `in_schema`."""
    found = _SEARCH_PATH.search(str(conninfo_to_dict(dsn).get("options") or ""))
    assert found, "the address was made by in_schema"
    return found[1]
