"""A salon that notifies: its client, its clock and what it has written to the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from tests.support.rows import add_booking, add_user
from zerkalo.db.pool import Connection, Pool
from zerkalo.notices import store
from zerkalo.notices.model import Kind, NoticePolicy
from zerkalo.notices.service import Notices, tell
from zerkalo.outbox.model import Channel

ZONE = ZoneInfo("Europe/Moscow")
NOON = datetime(2026, 12, 1, 12, 0, tzinfo=ZONE).astimezone(UTC)
AT = NOON + timedelta(days=2)


@dataclass
class Desk:
    """A salon with Anna, who has a proved e-mail and phone, and the clock."""

    pool: Pool
    notices: Notices
    anna: int
    now: datetime = NOON

    async def tell(self) -> int:
        """A minute later the worker looks."""
        self.now += timedelta(minutes=1)
        return await tell(self.notices, now=self.now)

    async def book(self, **columns: object) -> int:
        values = {
            "user_id": self.anna,
            "matched_by": "code",
            "appointment_datetime": AT,
            "status": "CONFIRMED",
            "vendor_changed_at": self.now,
            "created_at": self.now,
            "updated_at": self.now,
            **columns,
        }
        async with self.pool.connection() as conn:
            return await add_booking(conn, **values)

    async def change(self, booking: int, column: str, value: object) -> None:
        async with self.pool.connection() as conn:
            await conn.execute(
                f"update bookings set {column} = %s, updated_at = %s, vendor_changed_at = %s where id = %s".encode(),
                [value, self.now, self.now, booking],
            )

    async def sent(self) -> list[tuple[str, str, str]]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute("select channel, recipient, subject from outbox order by id")
            return await cursor.fetchall()

    async def choose(self, **ways: bool) -> None:
        async with self.pool.connection() as conn:
            await store.write_choices(
                conn, self.anna, **{"by_email": False, "by_phone": False, "by_telegram": False, **ways}
            )


async def zone(_: Connection) -> tzinfo:
    return ZONE


async def may_send(_: Connection, __: Channel, ___: str, ____: datetime) -> bool:
    return True


async def nothing_burns(
    _: Connection, __: datetime, ___: timedelta, ____: int
) -> tuple[Mapping[int, int], int]:
    return {}, 0


async def open_desk(pool: Pool) -> Desk:
    """The salon, with every kind of notice switched on before now."""
    async with pool.connection() as conn:
        anna = await add_user(
            conn,
            email="anna@example.com",
            email_verified_at=NOON,
            phone="+79991234567",
            phone_verified_at=NOON,
        )
        await conn.execute("insert into companies (id, title) values (1, 'Отражение')")
    policy = NoticePolicy(kinds=frozenset(Kind), remind_before=timedelta(hours=24))
    desk = Desk(pool, Notices(pool, policy, zone, may_send, nothing_burns, has_telegram=True), anna)
    await desk.tell()
    return desk
