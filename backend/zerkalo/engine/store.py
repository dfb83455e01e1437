"""`task_failures`, for the check-up: a row while a task's last run failed, none otherwise."""

from zerkalo.db.pool import Connection


async def note_failure(conn: Connection, name: str, error: str) -> None:
    """Count one more consecutive failure. `error`: the class, which holds nothing personal."""
    await conn.execute(
        """
        insert into task_failures as t (name, failures, error, failed_at)
        values (%(name)s, 1, %(error)s, clock_timestamp())
        on conflict (name) do update
            set failures = t.failures + 1, error = excluded.error, failed_at = excluded.failed_at
        """,
        {"name": name, "error": error},
    )


async def note_success(conn: Connection, name: str) -> None:
    """Delete the task's failures; writes nothing where there are none."""
    await conn.execute("delete from task_failures where name = %s", [name])
