"""The machine in a made-up world: each thing that can be wrong with it is told once, in both languages, with what mends it."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from zerkalo.checkup.machine.model import Failure, LooseFile, Machine, Reach, Refusal
from zerkalo.checkup.machine.rules import FREE_BYTES_MIN, NEWEST_MINORS, other_url, problems_of_machine
from zerkalo.checkup.machine.service import World, ask_date, look
from zerkalo.checkup.model import Severity
from zerkalo.checkup.texts.rules import fix_of, text_of
from zerkalo.settings import Settings

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
WELL = Machine(
    postgres_version=180_004,
    clock_ahead_seconds=0.2,
    data_dir="/srv/data",
    free_bytes=50 * FREE_BYTES_MIN,
    yclients=Reach("api.yclients.com", clock_ahead_seconds=-1.0),
)
HOST = "api.yclients.com"


def test_a_sound_machine_is_not_mentioned() -> None:
    assert list(problems_of_machine(WELL)) == []
    assert list(problems_of_machine(Machine())) == []  # nobody looked


@pytest.mark.parametrize(
    ("machine", "code", "severity", "russian", "fix"),
    [
        (
            replace(WELL, postgres_version=150_003),
            "postgres_old",
            Severity.ADVICE,
            "PostgreSQL 15.3 устарел",
            "postgresql-15",
        ),
        (
            replace(WELL, postgres_version=180_001, is_embedded=True),
            "postgres_old_embedded",
            Severity.ADVICE,
            "Встроенный PostgreSQL 18.1 устарел",
            "zerkalo backup",
        ),
        (
            replace(WELL, refusal=Refusal.DISK_FULL),
            "database_full",
            Severity.ERROR,
            "кончилось место",
            "df -h",
        ),
        (
            replace(WELL, refusal=Refusal.READ_ONLY),
            "database_read_only",
            Severity.ERROR,
            "только для чтения",
            "DATABASE_URL",
        ),
        (
            replace(WELL, free_bytes=300 * 1024**2),
            "disk_full",
            Severity.ERROR,
            "осталось 300 МиБ",
            "DATA_DIR",
        ),
        (
            replace(WELL, loose_files=(LooseFile("/srv/.env", "644"),)),
            "file_open",
            Severity.ERROR,
            "права 644",
            "chmod 600 /srv/.env",
        ),
        (
            replace(WELL, journal="/srv/data.erasures.jsonl", erasures_lacking=2),
            "erased_back",
            Severity.ERROR,
            "/srv/data.erasures.jsonl, которых нет в базе: 2",
            "zerkalo restore",
        ),
        (replace(WELL, clock_ahead_seconds=-95.0), "clock_database", Severity.ERROR, "-95 с", "timedatectl"),
        (
            replace(WELL, yclients=Reach(HOST, clock_ahead_seconds=3600.0)),
            "clock_yclients",
            Severity.ERROR,
            "+3600 с",
            "timedatectl",
        ),
        (
            replace(WELL, yclients=Reach(HOST, Failure.NAME, "no name")),
            "yclients_unknown_host",
            Severity.ERROR,
            "не находится",
            "getent hosts",
        ),
        (
            replace(WELL, yclients=Reach(HOST, Failure.CONNECT, "refused")),
            "yclients_unreachable",
            Severity.ERROR,
            "Нет соединения",
            "curl -I",
        ),
        (
            replace(WELL, yclients=Reach(HOST, Failure.TLS, "expired")),
            "yclients_untrusted",
            Severity.ERROR,
            "нет доверия",
            "YCLIENTS_CA_FILE",
        ),
        (
            replace(WELL, yclients=Reach(HOST, Failure.CONNECT, "refused"), other_host="api.yclients.ru"),
            "yclients_other_domain",
            Severity.ERROR,
            "а api.yclients.ru отвечает",
            "YCLIENTS_API_URL=https://api.yclients.ru/api/v1",
        ),
    ],
)
def test_what_is_wrong_is_told_once_with_what_mends_it(
    machine: Machine, code: str, severity: Severity, russian: str, fix: str
) -> None:
    (problem,) = problems_of_machine(machine)

    assert (problem.code, problem.severity) == (code, severity)
    assert russian in text_of(problem, "ru")
    assert fix in fix_of(problem, "ru")
    assert fix in fix_of(problem, "en")


@pytest.mark.parametrize("seconds", [-30.0, 0.0, 30.0])
def test_half_a_minute_is_no_wrong_clock(seconds: float) -> None:
    machine = replace(WELL, clock_ahead_seconds=seconds, yclients=Reach(HOST, clock_ahead_seconds=seconds))

    assert list(problems_of_machine(machine)) == []


def test_every_supported_major_has_its_newest_minor_and_an_unknown_one_is_left_alone() -> None:
    assert sorted(NEWEST_MINORS) == [15, 16, 17, 18]
    assert list(problems_of_machine(replace(WELL, postgres_version=190_000))) == []


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("https://api.yclients.com/api/v1", "https://api.yclients.ru/api/v1"),
        ("https://api.yclients.ru/api/v1", "https://api.yclients.com/api/v1"),
        ("https://app.alteg.io/api/v1", None),
        ("https://yclients.com.evil.test/api/v1", None),
    ],
)
def test_yclients_own_host_has_another_domain(url: str, other: str | None) -> None:
    assert other_url(url) == other


@dataclass
class FakeWorld:
    """A machine as a test wants it. `hosts`: what asking a host does."""

    hosts: Mapping[str, Callable[[], datetime | None]] = field(default_factory=dict)
    modes: dict[str, int] = field(default_factory=dict)
    free: int = 50 * FREE_BYTES_MIN
    asked: list[str] = field(default_factory=list)

    def world(self) -> World:
        return World(ask_date=self.ask, free_bytes=self.free_bytes, mode=self.mode)

    def free_bytes(self, path: Path) -> int:
        return self.free

    async def ask(self, url: str, ca_file: Path | None) -> datetime | None:
        self.asked.append(url)
        return self.hosts[url]()

    def mode(self, path: Path) -> int:
        if path.name not in self.modes:
            raise FileNotFoundError(path)
        return self.modes[path.name]


def failing(error: Exception) -> Callable[[], datetime | None]:
    def fail() -> datetime | None:
        raise error

    return fail


async def seen(world: FakeWorld, **settings: Any) -> Machine:
    wanted = Settings(yclients_enabled=True, yclients_company_ids=(5,), **settings)
    return await look(None, wanted, now=lambda: NOW, world=world.world())


COM, RU = "https://api.yclients.com/api/v1", "https://api.yclients.ru/api/v1"


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (socket.gaierror(-2, "Name or service not known"), Failure.NAME),
        (ssl.SSLCertVerificationError("certificate has expired"), Failure.TLS),
        (ConnectionRefusedError(111, "Connection refused"), Failure.CONNECT),
        (TimeoutError(), Failure.CONNECT),
    ],
)
async def test_name_connection_and_certificate_are_told_apart_and_the_other_domain_is_tried(
    error: Exception, failure: Failure
) -> None:
    world = FakeWorld({COM: failing(error), RU: failing(OSError("down"))})

    machine = await seen(world)

    assert machine.yclients is not None
    assert (machine.yclients.host, machine.yclients.failure) == (HOST, failure)
    assert machine.other_host is None
    assert world.asked == [COM, RU]


async def test_the_domain_that_answers_is_named() -> None:
    machine = await seen(FakeWorld({COM: failing(OSError("down")), RU: lambda: NOW}))

    assert machine.other_host == "api.yclients.ru"


async def test_the_clock_is_compared_with_the_date_that_yclients_tells() -> None:
    machine = await seen(FakeWorld({COM: lambda: NOW - timedelta(minutes=2)}))

    assert machine.yclients == Reach(HOST, clock_ahead_seconds=120)


async def test_files_that_others_can_read_are_named_and_a_group_may_share_the_env_file(
    tmp_path: Path,
) -> None:
    settings = {"env_file": tmp_path / ".env", "data_dir": tmp_path}
    hosts = {COM: lambda: NOW}

    shared = await seen(FakeWorld(hosts, {".env": 0o100640, "secret_key": 0o100600}), **settings)
    open_to_all = await seen(FakeWorld(hosts, {".env": 0o100644, "secret_key": 0o100640}), **settings)

    assert shared.loose_files == ()
    assert [(Path(file.path).name, file.mode) for file in open_to_all.loose_files] == [
        (".env", "644"),
        ("secret_key", "640"),
    ]


async def test_switched_off_nobody_is_asked() -> None:
    world = FakeWorld()

    machine = await look(None, Settings(), now=lambda: NOW, world=world.world())

    assert (machine.yclients, world.asked) == (None, [])


async def test_the_date_is_read_from_a_real_server_and_no_token_is_sent() -> None:
    heads: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 404 Not Found\r\nDate: Fri, 27 Nov 2026 11:59:00 GMT\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        date = await ask_date(f"http://127.0.0.1:{port}/api/v1", None)

    assert date == NOW - timedelta(minutes=1)
    assert b"authorization" not in heads[0].lower()
