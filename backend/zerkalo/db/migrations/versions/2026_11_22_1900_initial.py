"""The first schema: our tables and those of the engine.

The engine's tables are made by the SQL that the installed procrastinate ships. A later procrastinate brings
migrations of its own; the migration of ours that applies them must look at what is there first, because a
database made after the upgrade already has them.
"""

from pathlib import Path

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0001_initial"
down_revision = None

SQL = Path(__file__).parents[1] / "sql" / "initial.sql"


def upgrade() -> None:
    """Makes every table."""
    for sql in (SQL.read_text(encoding="utf-8"), SchemaManager.get_schema()):
        # Straight to the driver: text() would take the colons of `::type` and `'...: %'` for parameters.
        op.get_bind().connection.driver_connection.execute(sql)
