"""`zerkalo demo`, as `make demo` runs it: what it prints works, and no way to die leaves a process or loses the data."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.support.application import free_port
from tests.support.database import open_folder
from tests.support.embedded import eventually, processes_of
from tests.support.project import BACKEND

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]

COMMAND = [sys.executable, "-c", "from zerkalo.cli.main import main; main()"]
START_SECONDS_MAX = 120
REAL_SALON = "DATABASE_URL=postgresql://zerkalo:pw@127.0.0.1:9/the_real_one\nSECRET_KEY=0123456789abcdef0\n"
"""What the `.env` of somebody who has set up the real thing says; the demo must have nothing to do with it."""


@dataclass
class Place:
    """A folder where demos are started, and the ports that they answer on."""

    folder: Path
    port: int = field(default_factory=free_port)
    emulator_port: int = field(default_factory=free_port)

    @property
    def data(self) -> Path:
        return self.folder / "data" / "demo"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"

    def words(self, *more: str) -> list[str]:
        ports = ["--port", str(self.port), "--emulator-port", str(self.emulator_port)]
        return [*COMMAND, "demo", "--no-life", *ports, *more]

    def run(self, words: list[str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=cwd or self.folder, env=_environment(), capture_output=True, text=True, check=False
        )

    @contextmanager
    def start(self, words: list[str]) -> Iterator["Demo"]:
        """Yields a demo that has told where everything is; kills it at the end if it still lives."""
        told = self.folder / "told"
        with told.open("w") as out:
            process = subprocess.Popen(
                words, cwd=self.folder, env=_environment(), stdout=out, stderr=subprocess.STDOUT, start_new_session=True
            )  # fmt: skip
        try:
            ended = eventually(
                lambda: "curl" in told.read_text() or process.poll() is not None, START_SECONDS_MAX
            )
            assert ended, told.read_text()
            assert process.poll() is None, told.read_text()
            yield Demo(self, process, told.read_text())
        finally:
            with_children = [process.pid, *(p.pid for p in _family(process.pid))]
            for pid in with_children if process.poll() is None else ():
                os.kill(pid, signal.SIGKILL)
            process.wait()


@dataclass
class Demo:
    """A running demo, and what it told at its start."""

    place: Place
    process: subprocess.Popen[bytes]
    told: str

    def after(self, label: str) -> str:
        """What stands behind a word of the banner."""
        (line,) = [line for line in self.told.splitlines() if line.strip().startswith(label)]
        return line.strip().removeprefix(label).strip()

    def book(self) -> int:
        """Do what the printed `curl` does. Returns the record's number."""
        _, named, url = shlex.split(self.after("curl"))
        body = (self.place.folder / named.removeprefix("@")).read_bytes()
        answer = httpx2.post(url.replace("localhost", "127.0.0.1"), content=body)
        assert (answer.status_code, answer.json()["status"]) == (200, "applied"), answer.text
        return json.loads(body)["resource_id"]

    def login(self, label: str) -> tuple[str, str]:
        """E-mail and password behind a word of the banner."""
        email, _, password = self.after(label).partition(": ")[2].partition(",")[0].partition(" / ")
        return email, password

    def records_of_the_user(self) -> set[int]:
        email, password = self.login("As a client")
        with httpx2.Client(base_url=self.place.url, timeout=30) as client:
            pair = client.post("/auth/login", data={"username": email, "password": password}).json()
            found = client.get("/booking", headers={"Authorization": f"Bearer {pair['access_token']}"}).json()
        return {booking["yclients_record_id"] for booking in found["items"]}


@pytest.fixture
def place() -> Iterator[Place]:
    """A folder with a `.env` of a real salon; nothing of a demo may run in it after the test."""
    with open_folder() as folder:
        (folder / ".env").write_text(REAL_SALON)
        yield Place(folder)
        assert eventually(lambda: not processes_of(folder / "data" / "demo"))


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(BACKEND)}


def _family(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _ended(demo: Demo) -> bool:
    return demo.process.poll() is not None and not processes_of(demo.place.data)


def test_nothing_stays_however_it_ends_and_the_next_start_has_every_booking(place: Place) -> None:
    booked: set[int] = set()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        with place.start(place.words()) as demo:
            assert booked <= demo.records_of_the_user()
            booked.add(demo.book())
            assert booked <= demo.records_of_the_user()

            # As a terminal, or a service manager, signals everything that it had started.
            os.killpg(demo.process.pid, number)

            assert eventually(lambda: _ended(demo), 60)
            assert demo.process.returncode == (-number if number is signal.SIGKILL else 0)
    with place.start(place.words()) as demo:
        assert booked <= demo.records_of_the_user()
        demo.process.terminate()
        assert eventually(lambda: _ended(demo), 60)


def test_commands_beside_it_are_about_its_salon_and_a_second_one_is_refused(place: Place) -> None:
    with place.start(place.words()) as demo:
        folder, and_, _, command = shlex.split(demo.after("(cd").removesuffix(")"))
        assert (and_, command) == ("&&", "check")
        here = place.folder / folder

        checked = place.run([*COMMAND, command, "--json"], cwd=here)
        told = json.loads(checked.stdout)
        assert told["settings"]["YCLIENTS_API_URL"] == f"http://127.0.0.1:{place.emulator_port}/api/v1"
        assert [company["answers"] for company in told["companies"]] == [True]
        assert (here / ".env").stat().st_mode & 0o077 == 0

        second = place.run(place.words())
        assert second.returncode == 1
        assert second.stderr.count("\n") == 1
        assert f"port {place.port}" in second.stderr

        assert demo.book() in demo.records_of_the_user(), "neither of them disturbed it"
        demo.process.terminate()
        assert eventually(lambda: _ended(demo), 60)


def test_it_ends_with_its_parent_when_that_is_killed(place: Place) -> None:
    """`make` can't hand kill -9 on."""
    script = 'trap "" TERM; "$@" & wait'
    with place.start(["/bin/sh", "-c", script, "make", *place.words("--with-parent")]) as demo:
        (child,) = psutil.Process(demo.process.pid).children()

        demo.process.kill()

        assert eventually(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 60)
        assert eventually(lambda: _ended(demo), 60)


async def test_its_next_sync_asks_for_the_booking_that_nobody_has_and_cancels_it(place: Place) -> None:
    def state(demo: Demo, headers: dict[str, Any], record_id: int) -> str:
        found = httpx2.get(f"{place.url}/booking", headers=headers).json()["items"]
        return next(booking["status"] for booking in found if booking["yclients_record_id"] == record_id)

    with place.start(place.words()) as demo:
        sign_in = {"user": demo.login("As a client"), "admin": demo.login("As the owner")}
        headers = {}
        for name, (email, password) in sign_in.items():
            answer = httpx2.post(f"{place.url}/auth/login", data={"username": email, "password": password})
            headers[name] = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        # The sync that the demo begins with must not be the one that asks.
        while (
            httpx2.post(
                f"{place.url}/yclients/sync-bookings", headers=headers["admin"], timeout=60
            ).status_code
            != 200
        ):
            pass
        record_id = demo.book()
        assert state(demo, headers["user"], record_id) == "PENDING"

        while state(demo, headers["user"], record_id) != "CANCELLED":
            synced = httpx2.post(f"{place.url}/yclients/sync-bookings", headers=headers["admin"], timeout=60)
            assert synced.status_code in (200, 202), synced.text
            await asyncio.sleep(0.2)

        demo.process.send_signal(signal.SIGINT)
        assert eventually(lambda: _ended(demo), 60)


@contextmanager
def _signed_in(demo: Demo, label: str) -> Iterator[httpx2.Client]:
    email, password = demo.login(label)
    with httpx2.Client(base_url=demo.place.url, timeout=30) as client:
        answer = client.post("/auth/login", json={"email": email, "password": password})
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


def _has_all_that_its_banner_names(demo: Demo) -> bool:
    with _signed_in(demo, "As the owner") as admin, _signed_in(demo, "As a client") as user:

        def seen() -> tuple[list[str], int, bool, set[str]]:
            runs = admin.get("/yclients/runs").json()["items"]
            unmatched = admin.get("/admin/bookings/unmatched?limit=200").json()["items"]
            return (
                sorted(run["status"] for run in runs),
                len(admin.get("/admin/quarantine").json()["items"]),
                any(booking["candidates"] for booking in unmatched),
                {entry["kind"] for entry in user.get("/loyalty").json()["entries"]},
            )

        wanted = (["failed", "finished"], 1, True, {"accrual", "adjustment", "redemption"})
        return eventually(lambda: seen() == wanted, 60)


def test_a_new_salon_has_all_that_its_banner_names_and_reset_makes_it_anew(place: Place) -> None:
    with place.start(place.words()) as demo:
        assert _has_all_that_its_banner_names(demo)
        assert "Синхронизация" not in demo.told, "the log is not what somebody new has to read"
        booked = demo.book()
        demo.process.terminate()
        assert eventually(lambda: _ended(demo), 60)
    with place.start(place.words("--reset", "--log")) as demo:
        assert booked not in demo.records_of_the_user()
        assert _has_all_that_its_banner_names(demo)
        assert "Синхронизация" in (place.folder / "told").read_text()
        demo.process.terminate()
        assert eventually(lambda: _ended(demo), 60)
