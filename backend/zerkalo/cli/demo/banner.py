"""What the demo says when it stands: where everything is, what to look at first, a call to try."""

import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from zerkalo.checkup.service import webhook_url
from zerkalo.cli.demo.model import ADMIN, COMPANY_ID, RECEPTIONIST, USER, Login
from zerkalo.settings import Settings, is_in_environment

SALON_ZONE = ZoneInfo("Europe/Moscow")
FOR_THE_CLIENT = (
    ("/book", "book a visit: it comes back through a webhook"),
    ("/me", "two years of visits, points, a coming one"),
)
"""Pages to look at first, and what the made-up salon has there."""
FOR_THE_DESK = (
    ("/admin/bookings", "today in the salon"),
    (f"/admin/till?who={USER.code}", "the till: Анна by the code, and how many points there are"),
    ("/admin/unmatched?choose=1", "visits that fit two people: choose"),
    ("/admin/unmatched", "visits without a user, and why"),
    ("/admin/users", "who has an account"),
)
"""Pages that a receptionist has too."""
FOR_THE_OWNER = (
    ("/admin/reports", "the figures of a month beside the one before"),
    ("/admin/quarantine", "a call that could not be read"),
    ("/admin/runs", "the syncs; yesterday's one failed"),
    ("/admin/setup", "the webhook, as it is set up in YCLIENTS"),
)
BOOKING_FILE = "booking.json"
"""The body of a webhook, in the demo's folder: as an argument it would fill the screen."""


def banner(settings: Settings, emulator_port: int) -> Sequence[str]:
    """The lines, in the order in which somebody new needs them. What `curl` is to send is written beside the data."""
    url, hook = settings.public_url, webhook_url(settings)
    folder = settings.data_dir
    event = json.dumps(_event(datetime.now(SALON_ZONE)), ensure_ascii=False)
    (folder / BOOKING_FILE).write_text(event, encoding="utf-8")
    booking = _shortest(folder / BOOKING_FILE, Path.cwd())
    return (
        "",
        f"Zerkalo is running on a made-up salon: {url}. Ctrl-C stops everything;",
        "the next start goes on with the same data, and `zerkalo demo --reset` makes the salon anew.",
        *_part("a client, Анна", USER, f", code {USER.code}", url, FOR_THE_CLIENT),
        *_part("a receptionist", RECEPTIONIST, "", url, FOR_THE_DESK),
        *_part("the owner", ADMIN, ", and all of the above", url, FOR_THE_OWNER),
        "",
        "For programs:",
        f"  {url + '/docs':50}  the API",
        f"  {f'http://localhost:{emulator_port}/api/v1':50}  YCLIENTS, here its emulator",
        "",
        f"  curl -d @{booking} '{hook}'",
        "      a booking for Анна through the webhook; the next sync cancels it, since the emulator has no such record",
        f"  (cd {_shortest(folder, Path.cwd())} && {_command(folder)} check)",
        "      any command, about this salon",
        "",
    )


def _part(who: str, account: Login, more: str, url: str, pages: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield ""
    yield f"As {who}: {account.email} / {account.password}{more}"
    yield from (f"  {url + path:50}  {what}" for path, what in pages)


def _shortest(path: Path, seen_from: Path) -> str:
    """The path as one would type it there."""
    return shlex.quote(min(os.path.relpath(path, seen_from), str(path), key=len))


def _command(folder: Path) -> str:
    """This program's name in that folder: alone where the shell finds the same one by it.

    A DATA_DIR of the environment, as in our image, counts for more than the `.env` there and would name another salon.
    """
    ours = Path(sys.executable).parent / "zerkalo"
    found = shutil.which("zerkalo")
    name = "zerkalo" if found and Path(found).resolve() == ours.resolve() else _shortest(ours, folder)
    return f"DATA_DIR=. {name}" if is_in_environment("DATA_DIR") else name


def _event(now: datetime) -> dict[str, Any]:
    """A webhook's body: the user's booking for tomorrow noon. Its number is new at each start, so that it can be made anew."""
    record_id = 900_000_000 + int(time.time()) % 100_000_000
    tomorrow = (now + timedelta(days=1)).date()
    return {
        "company_id": COMPANY_ID,
        "resource": "record",
        "resource_id": record_id,
        "status": "create",
        "data": {
            "id": record_id,
            "company_id": COMPANY_ID,
            "date": f"{tomorrow} 12:00:00",
            "seance_length": 3600,
            "services": [{"id": 1, "title": "Стрижка", "cost": 1800, "amount": 1}],
            "attendance": 0,
            "deleted": False,
            "comment": f"Код клиента: {USER.code}",
            "client": {"name": USER.name, "phone": USER.phone, "email": USER.email},
            "staff": {"name": "Мастер"},
            "last_change_date": f"{now:%Y-%m-%dT%H:%M:%S%z}",
        },
    }
