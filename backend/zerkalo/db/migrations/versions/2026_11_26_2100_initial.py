"""The first schema: our tables and those of the engine, in the schema that the connection's search path names.

The engine's tables are made by the SQL that the installed procrastinate ships. A later procrastinate brings
migrations of its own; the migration of ours that applies them must look at what is there first, because a
database made after the upgrade already has them.
"""

from pathlib import Path

from alembic import op
from procrastinate.schema import SchemaManager

revision = "2026_11_26_initial"
down_revision = None

SQL = Path(__file__).parents[1] / "sql" / "initial.sql"

# The engine's triggers must find its tables in a session of another program, and in a restored dump, too.
PIN_FUNCTIONS = """
do $$
declare made regprocedure;
begin
    for made in select oid::regprocedure from pg_proc where pronamespace = current_schema()::regnamespace
    loop
        execute format('alter function %s set search_path from current', made);
    end loop;
end $$
"""


def upgrade() -> None:
    """Make every table."""
    for sql in (SQL.read_text(encoding="utf-8"), SchemaManager.get_schema(), PIN_FUNCTIONS):
        # Directly by the driver: text() would treat the colons of `::type` and `'...: %'` as parameters.
        op.get_bind().connection.driver_connection.execute(sql)
