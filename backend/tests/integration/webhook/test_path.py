"""Which files a webhook runs through: one plain signed call about a booking of a known card, from its socket to its row.

`make shape` prints them.
"""

import sys
from pathlib import Path
from types import FrameType

import pytest

import shape
from tests.support.rows import add_user
from tests.support.salon import BONUSES, salon
from tests.support.vendor import State, event
from zerkalo.db.pool import Pool

pytestmark = pytest.mark.integration

FILES_MAX = 20
"""As many as there are: whoever adds one says here that it is worth it."""
PHONE = "+79161234567"


async def test_a_webhook_runs_through_few_files(pool: Pool) -> None:
    card = {"id": 900, "name": "Мария", "phone": PHONE, "email": ""}
    ran: set[str] = set()

    def note(frame: FrameType, _event: str, _arg: object) -> None:
        ran.add(frame.f_code.co_filename)

    async with salon(pool, policy=BONUSES) as server:
        async with pool.connection() as conn:
            await add_user(conn, phone=PHONE, phone_verified_at="2026-01-01T00:00:00Z")
        assert await server.status(event(State(5), id=1, client=card)) == "applied"

        sys.setprofile(note)
        try:
            status = await server.status(event(State(6, minutes=90), id=1, client=card))
        finally:
            sys.setprofile(None)

    root = shape.BACKEND / "zerkalo"
    files = sorted(str(path.relative_to(root)) for path in map(Path, ran) if root in path.parents)
    way = [name for name in files if Path(name).parts[0].removesuffix(".py") not in shape.GROUND]
    sys.stdout.write(
        f"files that a webhook runs from its socket to its row, the ground left out: {len(way)}\n"
    )
    sys.stdout.write(f"  {' '.join(way)}\n")
    assert status == "applied"
    assert "bookings/store.py" in way
    assert len(way) <= FILES_MAX
