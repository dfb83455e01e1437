"""What the demo says when it stands: where everything is, what to look at first, a call to try."""

import json
import os
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from zerkalo.checkup.service import webhook_url
from zerkalo.cli.demo.model import ADMIN, COMPANY_ID, RECEPTIONIST, USER
from zerkalo.settings import Settings

SALON_ZONE = ZoneInfo("Europe/Moscow")
FOR_THE_DESK = (
    ("/admin/bookings", "today in the salon"),
    (f"/admin/till?who={USER.code}", "the till: Анна by the code, and how many points there are"),
    ("/admin/unmatched?choose=1", "visits that fit two people: choose"),
    ("/admin/unmatched", "visits without a user, and why"),
    ("/admin/users", "who has an account; look for Анна: two years, points"),
)
"""Pages that a receptionist has too, and what the made-up salon has there."""
FOR_THE_OWNER = (
    ("/admin/reports", "the figures of a month beside the one before"),
    ("/admin/quarantine", "a call that could not be read"),
    ("/admin/runs", "the syncs; yesterday's one failed"),
    ("/admin/setup", "the webhook, as it is set up in YCLIENTS"),
)


def banner(settings: Settings, emulator_port: int) -> Sequence[str]:
    """The lines, in the order in which somebody new needs them."""
    url, hook = settings.public_url, webhook_url(settings)
    event = json.dumps(_event(datetime.now(SALON_ZONE)), ensure_ascii=False)
    here = shlex.quote(os.path.relpath(settings.data_dir))
    zerkalo = shlex.quote(os.path.relpath(Path(sys.executable).parent / "zerkalo", settings.data_dir))
    return (
        "",
        "Zerkalo is running on a made-up salon. Ctrl-C stops everything; the next start goes on with the same data,",
        "and `zerkalo demo --reset` makes the salon anew. `--log` prints the log as well.",
        "",
        f"  start page        {url}/",
        f"  book a visit      {url}/book",
        f"  my visits         {url}/me          {USER.email} / {USER.password}  (code {USER.code})",
        f"  the salon's desk  {url}/admin       {ADMIN.email} / {ADMIN.password}  (the owner)",
        f"  the till          {url}/admin/till  {RECEPTIONIST.email} / {RECEPTIONIST.password}  (a receptionist)",
        f"  API               {url}/docs",
        f"  YCLIENTS emulator http://localhost:{emulator_port}/api/v1",
        f"  webhook           {hook}",
        f"  commands          cd {here} && {zerkalo} check",
        "",
        "Look at these first, signed in as the receptionist or the owner:",
        "",
        *(f"  {url + path:50}  {what}" for path, what in FOR_THE_DESK),
        "",
        "and at these as the owner:",
        "",
        *(f"  {url + path:50}  {what}" for path, what in FOR_THE_OWNER),
        "",
        "Make a booking through the webhook:",
        "",
        f"  curl -X POST '{hook}' -H 'Content-Type: application/json' -d '{event}'",
        "",
        f"It stands on {url}/me then. (The emulator has no such record: the next sync asks for it by its",
        "number, hears that there is none, and cancels the booking.)",
        "",
    )


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
