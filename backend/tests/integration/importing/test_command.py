"""`zerkalo import` as a real process, with a source that is a database of another program."""

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.integration.processes.test_sync_processes import as_url
from tests.support.database import TestServer
from tests.support.project import BACKEND
from tests.support.rows import add_booking
from zerkalo.db.address import in_schema, schema_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PROGRAM = "import sys; from zerkalo.cli.main import main; main(sys.argv[1:])"
APP = """
create table users (id int primary key, mail text, tel text, title text, promo text, points int);
create table visits (id int primary key, user_id int, memo text, at timestamp, what text, given int);
insert into users values (1, 'anna@salon.test', '89161234567', 'Анна', 'ANNA2020', 300);
insert into visits values (1, 1, 'утром | YClients. ID: 501', '2025-06-02 15:00', 'Стрижка', 125), (2, 1, '', '2025-06-03 15:00', '', 7);
"""
MAPPING = """
[source]
url = "{url}"
[people]
sql = '''select id as ref, mail as email, tel as phone, title as name, promo as code, true as email_proved,
    points as balance from users'''
[visits]
sql = '''select id as ref, user_id as person, memo as note, at as wall_time, what as service, given as points
    from visits'''
"""


def run(dsn: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(BACKEND),
        "DATABASE_URL": as_url(dsn),
        "SECRET_KEY": "a secret of the tests, long enough",
        "YCLIENTS_COMPANY_ID": "1",
        "LOYALTY_ENABLED": "True",
    }
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, "import", *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )


def dump(dsn: str) -> str:
    with psycopg.connect(dsn) as conn:
        return "\n".join(
            str(conn.execute(query).fetchall())
            for query in ("select * from public.users order by id", "select * from public.visits order by id")
        )


async def _booking(dsn: str) -> None:
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
        await add_booking(conn, yclients_record_id=501, status="COMPLETED", phone="+79161234567")


def test_an_app_whose_database_we_share_moves_in(
    database_server: TestServer, dsn: str, tmp_path: Path
) -> None:
    with database_server.database(migrated=False) as address:
        with psycopg.connect(in_schema(address, "public"), autocommit=True) as conn:
            conn.execute("set search_path to public")
            conn.execute(APP)
        asyncio.run(_booking(dsn))
        before = dump(address)
        url = as_url(address).replace(f"search_path%3D{schema_of(address)}", "search_path%3Dpublic")
        mapping = tmp_path / "app.toml"
        mapping.write_text(MAPPING.format(url=url), encoding="utf-8")

        told = run(dsn, tmp_path, "app.toml")
        applied = run(dsn, tmp_path, "app.toml", "--apply", "--json")
        again = run(dsn, tmp_path, "app.toml", "--apply", "--json")

        assert dump(address) == before

    assert (told.returncode, applied.returncode, again.returncode) == (0, 0, 0), applied.stderr
    assert "Ничего не записано" in told.stdout
    assert re.search(r"Баллы +300 +300 +0", told.stdout)
    found = json.loads(applied.stdout)
    assert found["people"] == {"read": 1, "new": 1, "known": 0, "refused": 0}
    assert found["visits"] == {
        "read": 2,
        "by_record": 1,
        "by_contact": 0,
        "known": 0,
        "ask": 0,
        "not_in_mirror": 1,
    }
    assert found["points"] == {"before": 300, "after": 300, "by_visit": 125, "opening": 175}
    assert json.loads(again.stdout)["people"] == {"read": 1, "new": 0, "known": 1, "refused": 0}
    assert (tmp_path / "app-not-in-mirror.csv").read_text(encoding="utf-8-sig").splitlines() == [
        "ref,person,why,record_id,time,service,points",
        "2,1,в YCLIENTS такого визита нет,,2025-06-03 15:00,,7",
    ]
    assert (tmp_path / "app-never-awarded.csv").read_text(encoding="utf-8-sig").splitlines()[1:] == [
        "2,1,для визита не нашлось записи: его баллы войдут в начальный остаток,,2025-06-03 15:00,,7"
    ], "told once: the second time there is nothing to write"
    assert list(tmp_path.glob("app-before-*.backup")), "a backup is written first"
    with psycopg.connect(dsn) as conn:
        linked = conn.execute("select matched_by, notes from bookings").fetchall()
    assert linked == [("import", "YClients. ID: 501\nКод клиента: ANNA2020")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "[people] is missing"),
        (
            "[source]\nurl = 'postgresql://nobody@/nowhere?host=/nonexistent'\n[people]\nsql = 'select 1'\n",
            "does not answer",
        ),
    ],
)
def test_a_mapping_that_does_not_work_is_told_in_one_line(
    dsn: str, tmp_path: Path, text: str, told: str
) -> None:
    (tmp_path / "app.toml").write_text(text, encoding="utf-8")

    done = run(dsn, tmp_path, "app.toml")

    assert done.returncode == 1
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
