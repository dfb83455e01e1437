"""What PostgreSQL plans to do for the very statements that our code sends: `Explaining` connections write it down."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg.rows import tuple_row

Plan = dict[str, Any]


@dataclass
class Plans:
    """The plans seen so far, newest last."""

    seen: list[Plan] = field(default_factory=list)

    def take(self) -> "Plans":
        """What was seen since the last time."""
        taken, self.seen = Plans(self.seen), []
        return taken

    def nodes(self) -> Iterator[Plan]:
        for plan in self.seen:
            yield from _nodes(plan)

    @property
    def indexes(self) -> set[str]:
        """The indexes that are used."""
        return {node["Index Name"] for node in self.nodes() if "Index Name" in node}

    @property
    def scanned(self) -> set[str]:
        """The tables that are read from end to end."""
        return {node["Relation Name"] for node in self.nodes() if node["Node Type"].endswith("Seq Scan")}


def _nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


async def explaining(dsn: str) -> tuple[psycopg.AsyncConnection[Any], Plans]:
    """A connection whose every query is explained before it runs, and where the plans go."""
    plans = Plans()

    class ExplainingCursor(psycopg.AsyncCursor[Any]):
        async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            text: str = query if isinstance(query, str) else query.decode()
            if text.lstrip().lower().startswith(("select", "with", "insert", "update", "delete")):
                plain = psycopg.AsyncCursor(self.connection, row_factory=tuple_row)
                await plain.execute(f"explain (format json) {text}".encode(), params)
                row = await plain.fetchone()
                assert row is not None
                plans.seen.append(row[0][0]["Plan"])
            return await super().execute(text.encode(), params, **options)

    conn = await psycopg.AsyncConnection.connect(dsn, autocommit=True, cursor_factory=ExplainingCursor)
    return conn, plans
