"""`make screenshots`: the pictures of the README, taken of the running application on the demo's salon.

`python -m tests.e2e.screenshots --to FOLDER /admin/users …` takes other pages instead, for whoever works on them.
"""

import argparse
import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from itertools import product
from pathlib import Path

from tests.support.application import COMPANY_ID, SECRET, WEBHOOK, free_port, running_application, serving
from tests.support.browser import WIDTHS, Site, Visitor, chromium, visitor
from tests.support.database import open_folder, test_server
from yclients_emulator import EmulatorSettings, new_demo_emulator
from zerkalo.cli.demo.model import ADMIN, USER, Guest
from zerkalo.cli.demo.story import UNREADABLE, add_accounts, move_points
from zerkalo.cli.demo.visits import fill, visit_of_today
from zerkalo.main import server_of

IMAGES = Path(__file__).parents[3] / "docs/images"
HEIGHTS = {390: 844, 1280: 900}
SUFFIXES = {390: "-phone", 1280: ""}
PAGES = {
    "book": f"/book?company={COMPANY_ID}&service=3001&staff=0",
    "me": "/me",
    "admin": "/admin",
    "journal": "/admin/bookings",
    "week": "/admin/bookings?view=week",
    "client": "/admin/users/{user}",
    "till": f"/admin/till?who={USER.code}",
    "reports": "/admin/reports?period=last_30",
    "setup": "/admin/setup",
}
ON_A_PHONE = {"book", "me", "admin", "journal", "till"}
"""Of these the documentation shows what a phone makes of them, too."""
LOCALES = {"": "ru-RU", "-en": "en-GB"}
"""The end of a picture's name, and the language of who looks at it."""
PNG_BYTES_MAX = 200_000
SYNC_SECONDS_MAX = 120


async def main(to: Path, paths: Sequence[str]) -> None:
    """Writes a picture of each page in both languages, at each width at which it is shown."""
    wanted = {path.strip("/").replace("/", "-").replace("?", "-") or "home": path for path in paths} or PAGES
    to.mkdir(parents=True, exist_ok=True)
    async with salon() as (site, users), chromium() as browser:
        for name, path in wanted.items():
            for width, (ending, locale) in product(WIDTHS, LOCALES.items()):
                if not paths and SUFFIXES[width] and name not in ON_A_PHONE:
                    continue
                file = to / f"{name}{SUFFIXES[width]}{ending}.png"
                user_id = users["admin" if path.startswith("/admin") else "user"]
                who = visitor(browser, site, width=width, user_id=user_id, locale=locale)
                await take(who, path.format(**users), width, file, whole=bool(paths))
                print(f"{file} {file.stat().st_size} bytes")
                assert paths or file.stat().st_size < PNG_BYTES_MAX, f"{file} is too large for a README"


async def take(
    who: AbstractAsyncContextManager[Visitor], path: str, width: int, file: Path, *, whole: bool
) -> None:
    """Writes one picture: a window full of the page, or the whole page."""
    async with who as somebody:
        await somebody.page.set_viewport_size({"width": width, "height": HEIGHTS[width]})
        await somebody.open(path)
        await somebody.page.wait_for_load_state("networkidle")
        await somebody.page.screenshot(path=file, full_page=whole)


@asynccontextmanager
async def salon() -> AsyncIterator[tuple[Site, dict[str, int]]]:
    """Yields a salon at work: synced from the emulator, some weeks of events behind it, with one user and one admin."""
    emulator = new_demo_emulator(EmulatorSettings(rate_limit=False), seed=7)
    people = fill(emulator)
    visit_of_today(emulator)
    port = free_port()
    url = f"http://localhost:{port}"
    with test_server() as server, server.database() as dsn, open_folder() as folder:
        async with (
            running_application(
                dsn, folder, with_worker=True, is_demo=True, emulator=emulator, PUBLIC_URL=url
            ) as application,
            serving(server_of(application.app, "127.0.0.1", port)),
        ):
            site = Site(application, url)
            yield site, await _fill(site, people)


async def _fill(site: Site, people: list[Guest]) -> dict[str, int]:
    application, runtime = site.application, site.application.runtime
    now = runtime.clock()
    admin = await application.new_user(
        email=ADMIN.email, name=ADMIN.name, unique_code=ADMIN.code, is_admin=True, email_verified_at=now
    )
    await add_accounts(runtime, people)
    run = await runtime.runs.open_or_join(COMPANY_ID)
    await runtime.bells.sync(COMPANY_ID)
    await runtime.runs.wait([run.id], timeout_seconds=SYNC_SECONDS_MAX)
    await move_points(runtime)
    # The weeks before: the same salon's events, as they would have come day by day.
    await application.execute(
        "insert into deliveries (received_at, company_id, resource, resource_id, event, body, outcome, finished_at)"
        " select at, %s, 'record', n, 'update', '{}',"
        " (array['applied', 'applied', 'applied', 'unchanged', 'applied', 'ignored', 'stale'])[n %% 7 + 1], at"
        " from (select n, %s::timestamptz - interval '1 minute' - n * interval '73 minutes' * (1 + sin(n) / 3) as at"
        " from generate_series(0, 560) n) as numbered",
        COMPANY_ID,
        now,
    )
    async with application.client() as yclients:
        answer = await yclients.post(f"{WEBHOOK}?token={SECRET}", json=UNREADABLE)
        assert answer.json()["status"] == "quarantined", answer.text
    await application.execute(
        "update facts set updated_at = %s where name = 'worker'", now + timedelta(seconds=1)
    )
    (anna,) = await application.fetch("select id from users where email = %s", USER.email)
    return {"user": anna["id"], "admin": admin}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=IMAGES, help="the folder for the pictures")
    parser.add_argument("paths", nargs="*", help="other pages than the README's")
    given = parser.parse_args()
    asyncio.run(main(given.to, given.paths))
