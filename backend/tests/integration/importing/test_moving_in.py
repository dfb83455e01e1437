"""An app of the salon's own moves in: its people, links, codes and points come to the mirror's rows."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.support.rows import NOON, add_booking, add_user
from zerkalo.bookings import store as bookings
from zerkalo.bookings.model import MatchedBy
from zerkalo.db.pool import Pool
from zerkalo.importing.model import Mapping, Report, Why
from zerkalo.importing.rules import STRONGER
from zerkalo.importing.service import ImportRefused, move_in
from zerkalo.importing.source.model import Read
from zerkalo.importing.source.service import MappingError, open_source, read_mapping, read_source
from zerkalo.loyalty import service as loyalty
from zerkalo.loyalty import store as ledger
from zerkalo.loyalty.model import EntryDraft, Kind, LoyaltyPolicy
from zerkalo.outbox.model import Channel
from zerkalo.users.desk.store import search_users
from zerkalo.users.erasing.rules import contact_digest
from zerkalo.users.erasing.store import remember_contacts

pytestmark = pytest.mark.integration

WALL = datetime(2025, 6, 2, 15)  # noqa: DTZ001  the salon's wall clock at NOON
NOW = NOON + timedelta(days=30)
FIVE = LoyaltyPolicy(enabled=True, percent=Decimal(5))
MAPPING = """
[source]
name = "old"
[people]
csv = "people.csv"
[visits]
csv = "visits.csv"
"""
PEOPLE = """ref,email,phone,name,code,email_proved,phone_proved,balance,shoe_size
1,Anna@Salon.test,8 916 123-45-67,Анна,ANNA,true,true,300,38
2,,+7 916 000-00-00,Мария,MARIA99,,yes,0,39
"""
VISITS = """ref,person,note,wall_time,service,status,points
10,1,Запись через YClients. ID: 501. Код клиента: ANNA,2025-06-02 15:00,Стрижка,done,125
11,1,,2025-06-03 15:00,Стрижка,done,
12,2,YClients. ID: 999,2025-06-02 15:00,Стрижка,done,
13,2,YClients. ID: 501 YClients. ID: 502,,,,
"""


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., Read]:
    """Reads a source of CSV files."""

    def read(people: str = PEOPLE, visits: str = VISITS) -> Read:
        (tmp_path / "m.toml").write_text(MAPPING, encoding="utf-8")
        (tmp_path / "people.csv").write_text(people, encoding="utf-8")
        (tmp_path / "visits.csv").write_text(visits, encoding="utf-8")
        with open_source(read_mapping(tmp_path / "m.toml")) as opened:
            return read_source(opened, is_usable_hash=lambda text: text.startswith("$argon2id$"), now=NOW)

    return read


@pytest.fixture
async def mirror(pool: Pool) -> dict[str, int]:
    """Two completed visits of Anna's card, for 2,500 roubles each."""
    day = timedelta(days=1)
    async with pool.connection() as conn:
        known = {"status": "COMPLETED", "phone": "+79161234567", "match_phone10": "9161234567"}
        return {
            "501": await add_booking(conn, yclients_record_id=501, appointment_local=WALL, **known),
            "502": await add_booking(
                conn,
                yclients_record_id=502,
                appointment_datetime=NOON + day,
                appointment_local=WALL + day,
                **known,
            ),
        }


async def run(
    pool: Pool,
    read: Read,
    *,
    apply: bool = True,
    policy: LoyaltyPolicy = FIVE,
    contact_key: bytes | None = None,
) -> Report:
    return await move_in(
        pool,
        read,
        source="old",
        company_ids=[1],
        policy=policy,
        now=NOW,
        apply=apply,
        contact_key=contact_key,
    )


async def rows(pool: Pool, sql: str) -> list[tuple[object, ...]]:
    async with pool.connection() as conn:
        return await (await conn.execute(sql.encode())).fetchall()


async def content(pool: Pool) -> dict[str, list[tuple[object, ...]]]:
    return {
        table: await rows(pool, f"select * from {table} order by 1, 2")
        for table in ("users", "bookings", "bonus_entries", "origins", "match_candidates")
    }


async def test_without_apply_it_only_tells(pool: Pool, mirror: dict[str, int], source: Callable[..., Read]):
    before = await content(pool)

    report = await run(pool, source(), apply=False)

    assert await content(pool) == before
    assert report.as_json() == {
        "people": {"read": 2, "new": 2, "known": 0, "refused": 0},
        "visits": {"read": 4, "by_record": 1, "by_contact": 1, "known": 0, "ask": 1, "not_in_mirror": 1},
        "points": {"before": 300, "after": 300, "by_visit": 125, "opening": 175},
        "hours_off": None,
        "applied": False,
    }
    assert report.unknown_columns == ("shoe_size",)
    assert [one.why for one in report.ask] == [Why.TWO_IDS]


async def test_links_codes_and_balances_arrive(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read]
):
    report = await run(pool, source())

    assert (report.applied, report.points_after) == (True, 300)
    linked = "select b.yclients_record_id, u.name, b.matched_by, b.notes from bookings b join users u on u.id = b.user_id order by 1"
    assert await rows(pool, linked) == [
        (501, "Анна", "import", "YClients. ID: 501\nКод клиента: ANNA"),
        (502, "Анна", "import", "YClients. ID: 502\nКод клиента: ANNA"),
    ]
    entries = "select kind, amount, percent, start_date, reason from bonus_entries order by id"
    assert await rows(pool, entries) == [
        ("accrual", 125, Decimal("5.0000"), None, "completed"),
        ("adjustment", 175, None, None, "opening"),
    ]
    proofs = "select email, phone, unique_code, email_verified, phone_verified from users order by id"
    assert await rows(pool, proofs) == [
        ("anna@salon.test", "+79161234567", "ANNA", True, True),
        (None, "+79160000000", "MARIA99", False, True),
    ]


async def test_the_second_time_it_writes_nothing(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read]
):
    await run(pool, source())
    before = await content(pool)

    again = await run(pool, source())

    assert await content(pool) == before
    assert (again.visits_known, again.never_awarded) == (2, ())
    assert not again.writes
    assert (again.people_new, again.people_known, again.points_by_visit, again.points_opening) == (0, 2, 0, 0)


async def test_visits_before_the_import_earn_nothing_more_and_a_later_no_show_takes_back(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read]
):
    await run(pool, source())

    assert await loyalty.sweep(pool, FIVE, NOW) == 0
    async with pool.connection() as conn:
        await conn.execute(
            "update bookings set status = 'CANCELLED', revision = revision + 1 where id = %s", [mirror["501"]]
        )
    await loyalty.sweep(pool, FIVE, NOW + timedelta(days=2))

    assert await rows(pool, "select sum(amount)::int from bonus_entries") == [(175,)]


async def test_a_visit_after_the_import_earns_as_usual(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read]
):
    await run(pool, source())
    ((anna,),) = await rows(pool, "select id from users where name = 'Анна'")

    async with pool.connection() as conn:
        await add_booking(
            conn, user_id=anna, status="COMPLETED", appointment_datetime=NOW + timedelta(days=1)
        )
    await loyalty.sweep(pool, FIVE, NOW + timedelta(days=2))

    assert await rows(pool, "select sum(amount)::int from bonus_entries") == [(425,)]


async def test_a_link_by_better_evidence_is_not_taken(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read]
):
    async with pool.connection() as conn:
        other = await add_user(conn, name="Другая")
        await conn.execute(
            "update bookings set user_id = %s, matched_by = 'manual' where id = %s", [other, mirror["501"]]
        )

    report = await run(pool, source())

    assert Why.ANOTHER_USER in [one.why for one in report.ask]
    assert await rows(pool, "select user_id, matched_by from bookings where yclients_record_id = 501") == [
        (other, "manual")
    ]
    assert report.points_after == 300, "the points of that visit are in the opening balance"


async def test_a_weaker_link_and_its_points_give_way(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read]
):
    async with pool.connection() as conn:
        other = await add_user(conn, name="Другая")
        await conn.execute(
            "update bookings set user_id = %s, matched_by = 'phone' where id = %s", [other, mirror["501"]]
        )
    assert await loyalty.sweep(pool, FIVE, NOW) == 1

    report = await run(pool, source())

    balances = "select u.name, sum(e.amount)::int from bonus_entries e join users u on u.id = e.user_id group by 1 order by 1"
    assert await rows(pool, balances) == [("Анна", 300), ("Другая", 0)]
    assert report.points_after == 300


async def test_a_user_we_know_keeps_contacts_and_password_and_gets_what_they_lack(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read]
):
    async with pool.connection() as conn:
        anna = await add_user(
            conn, email="anna@salon.test", email_verified_at=NOON, password_hash="kept", name=""
        )

    report = await run(pool, source(visits="ref,person\n"))

    assert (report.people_new, report.people_known) == (1, 1)
    known = "select id, email, phone, phone_verified, password_hash, unique_code, name from users order by id"
    assert (await rows(pool, known))[0] == (anna, "anna@salon.test", None, False, "kept", "ANNA", "Анна")


async def test_contacts_that_two_people_claim_prove_nobody(pool: Pool, source: Callable[..., Read]):
    twins = PEOPLE.replace("+7 916 000-00-00", "8 (916) 123 45 67")

    report = await run(pool, source(people=twins, visits="ref,person\n"))

    assert len(report.ask) == 2
    assert await rows(pool, "select phone_verified from users") == [(False,), (False,)]


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (PEOPLE.replace("MARIA99", "ANNA"), Why.SAME_CODE),
        (PEOPLE.replace("MARIA99", "M!"), Why.CODE_UNREADABLE),
        (PEOPLE.replace("2,,+7 916 000-00-00", "1,,+7 916 000-00-00"), Why.REF_TWICE),
    ],
)
async def test_people_who_are_refused_stop_the_whole_import(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read], broken: str, why: Why
):
    before = await content(pool)

    told = await run(pool, source(people=broken), apply=False)
    with pytest.raises(ImportRefused):
        await run(pool, source(people=broken))

    assert why in [one.why for one in told.refused]
    assert not told.may_apply
    assert await content(pool) == before


async def test_instants_need_an_offset_and_a_wall_clock_none(source: Callable[..., Read]):
    read = source(
        visits="ref,person,starts_at,wall_time\n1,1,2025-06-02 15:00,\n2,1,,2025-06-02T15:00+03:00\n3,1,2025-06-02T15:00+03:00,\n"
    )

    assert [one.ref for one in read.ask] == ["1", "2"]
    assert read.visits[0].starts_at == datetime(2025, 6, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[people]\n", "sql or csv"),
        ("[people]\nsql = 'select 1'\n", "url is missing"),
        ("[people]\ncsv = 'a'\nfile = 'b'\n", "file is not known"),
        ("[persons]\n", "persons"),
        ("[people\n", "no TOML"),
        ("[source]\nname = \"a\\u0000b\"\n[people]\ncsv = 'a'\n", r"\[source\] name .*NUL"),
        ('[people]\ncsv = "a\\u0000b"\n', r"\[people\] csv .*NUL"),
    ],
)
def test_a_mapping_that_is_wrong_says_what_to_change(tmp_path: Path, text: str, told: str):
    (tmp_path / "m.toml").write_text(text, encoding="utf-8")

    with pytest.raises(MappingError, match=told):
        read_mapping(tmp_path / "m.toml")


def test_a_database_is_read_in_a_transaction_that_can_only_read(dsn: str, tmp_path: Path):
    query = "select nextval('users_id_seq') as ref"
    (tmp_path / "m.toml").write_text(
        f"[source]\nurl = '''{dsn}'''\n[people]\nsql = \"{query}\"\n", encoding="utf-8"
    )

    with (
        pytest.raises(MappingError, match=r"\[people\] sql: .*read-only"),
        open_source(read_mapping(tmp_path / "m.toml")) as opened,
    ):
        read_source(opened, is_usable_hash=lambda _text: True, now=NOW)


async def test_points_that_no_percent_gives_go_to_the_opening_and_are_listed(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read]
):
    async with pool.connection() as conn:
        await conn.execute("update bookings set service_price = 0 where id = %s", [mirror["501"]])

    report = await run(pool, source())

    assert (report.points_by_visit, report.points_opening, report.points_after) == (0, 300, 300)
    assert [one.why for one in report.never_awarded] == [Why.POINTS_UNSAYABLE]


async def test_with_the_programme_off_an_import_gives_the_same_balances(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read]
):
    report = await run(pool, source(), policy=replace(FIVE, enabled=False))

    assert report.points_after == 300


async def test_a_stronger_link_that_comes_while_the_import_runs_stays(pool: Pool, mirror: dict[str, int]):
    async with pool.connection() as conn:
        anna, other = await add_user(conn, name="Анна"), await add_user(conn, name="Другая")
        await bookings.link(conn, mirror["501"], other, MatchedBy.CODE, now=NOW)

        await bookings.link_imported(
            conn, {mirror["501"]: anna, mirror["502"]: anna}, stronger=STRONGER, now=NOW
        )

    links = "select user_id, matched_by from bookings order by yclients_record_id"
    assert await rows(pool, links) == [(other, "code"), (anna, "import")]


async def test_the_history_of_a_booking_tells_of_the_import(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read]
):
    await run(pool, source())

    told = "select kind, cause, before ->> 'matched_by', after ->> 'matched_by' from booking_events"
    assert await rows(pool, told) == [("link", "import", None, "import")] * 2


async def test_a_record_that_was_handed_over_is_not_found_by_its_time(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read]
):
    """The app knows of the first client only; the visit is another one's by now."""
    async with pool.connection() as conn:
        await conn.execute(
            "update bookings set handed_over = true, phone = '+79990000000', match_phone10 = '9990000000'"
            " where id = %s",
            [mirror["501"]],
        )

    report = await run(pool, source())

    assert Why.RECORD_DOES_NOT_FIT in [one.why for one in report.ask]
    assert await rows(pool, "select user_id from bookings where yclients_record_id = 501") == [(None,)]


async def test_balances_below_zero_are_brought_and_told(pool: Pool, source: Callable[..., Read]):
    report = await run(pool, source(people=PEOPLE.replace(",300,", ",-40,"), visits="ref,person\n"))

    assert [(one.ref, one.why) for one in report.ask] == [("1", Why.BALANCE_NEGATIVE)]
    assert (report.points_before, report.points_after) == (-40, -40)
    assert await rows(pool, "select sum(amount)::int from bonus_entries") == [(-40,)]


async def test_a_person_who_was_erased_here_is_not_brought_back(
    pool: Pool, source: Callable[..., Read], mirror: dict[str, int]
) -> None:
    """Somebody who had an account of their own, which no import brought."""
    key, read = b"a key", source()
    async with pool.connection() as conn:
        await remember_contacts(
            conn, [contact_digest(key, Channel.EMAIL, "anna@salon.test")], now=NOW - timedelta(days=1)
        )

    told = await run(pool, read, apply=False, contact_key=key)

    assert [(one.ref, one.why) for one in told.refused] == [("1", Why.ERASED)]
    assert (told.people_new, told.may_apply) == (1, False)
    with pytest.raises(ImportRefused):
        await run(pool, read, contact_key=key)


@pytest.mark.parametrize(
    ("saved", "encoding"),
    [
        (PEOPLE, "utf-8"),
        (PEOPLE, "utf-8-sig"),
        (PEOPLE, "utf-16"),
        (PEOPLE, "cp1251"),
        ("sep=;\r\n" + PEOPLE.replace(",", ";"), "utf-8"),
        ("sep=;\r\n" + PEOPLE.replace(",", ";"), "utf-16"),
        (PEOPLE.replace(",", "\t"), "utf-8"),
    ],
)
async def test_the_forms_in_which_a_table_is_saved_read_the_same(
    source: Callable[..., Read], tmp_path: Path, saved: str, encoding: str
) -> None:
    expected = source()
    (tmp_path / "people.csv").write_bytes(saved.encode(encoding))

    with open_source(read_mapping(tmp_path / "m.toml")) as opened:
        assert read_source(opened, is_usable_hash=lambda _: True, now=NOW) == expected


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (PEOPLE.encode("utf-16-le"), "is UTF-16 without a byte order mark; save the file as UTF-8"),
        (PEOPLE.replace("Анна", '"Анна').encode(), "can't be read as CSV"),
    ],
)
async def test_a_table_that_can_not_be_read_is_refused_with_its_reason(
    source: Callable[..., Read], tmp_path: Path, content: bytes, told: str
) -> None:
    source()
    (tmp_path / "people.csv").write_bytes(content)

    with (
        pytest.raises(MappingError, match=told),
        open_source(read_mapping(tmp_path / "m.toml")) as opened,
    ):
        read_source(opened, is_usable_hash=lambda _: True, now=NOW)


@pytest.mark.parametrize("balance", ["", ",balance"])
async def test_a_source_without_a_balance_takes_nothing_that_was_earned_here(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read], balance: str
):
    async with pool.connection() as conn:
        anna = await add_user(conn, email="anna@salon.test", email_verified_at=NOON)
        await ledger.append(conn, [EntryDraft(anna, 500, Kind.ADJUSTMENT, "a gift", "by hand")], NOW)
    people = f"ref,email,name{balance}\n1,anna@salon.test,Анна{',' if balance else ''}\n"

    report = await run(pool, source(people=people, visits="ref,person\n"))

    assert await rows(pool, "select sum(amount)::int from bonus_entries") == [(500,)]
    assert (report.points_before, report.points_after, report.points_opening) == (500, 500, 0)


async def test_a_source_without_a_balance_keeps_the_points_of_a_visit_that_was_linked_more_weakly(
    pool: Pool, mirror: dict[str, int], source: Callable[..., Read]
):
    async with pool.connection() as conn:
        other = await add_user(conn, name="Другая")
        await conn.execute(
            "update bookings set user_id = %s, matched_by = 'phone' where id = %s", [other, mirror["501"]]
        )
    assert await loyalty.sweep(pool, FIVE, NOW) == 1

    report = await run(
        pool,
        source(
            people="ref,name\n1,Анна\n", visits="ref,person,record_id,wall_time\n10,1,501,2025-06-02 15:00\n"
        ),
    )

    balances = "select u.name, sum(e.amount)::int from bonus_entries e join users u on u.id = e.user_id group by 1 order by 1"
    assert await rows(pool, balances) == [("Анна", 125), ("Другая", 0)]
    assert (report.points_before, report.points_after) == (125, 125)


@pytest.mark.parametrize(
    ("people", "told"),
    [
        ("ref,email,name,balance\n\n1,anna@salon.test,Анна,1,500\n", "line 3 .*more cells than the header"),
        ("ref,email,name,balance\n1,,Мария,1,\n2,,Анна,500,75\n", "line 3 .*more cells than the header"),
        ("sep=,\nref,name,balance,\n1,Анна,500,75\n", "line 3 .*more cells than the header"),
        ("ref,name,balance, Balance\n1,Анна,500,75\n", "column balance twice"),
    ],
)
def test_cells_that_no_column_holds_are_not_dropped(source: Callable[..., Read], people: str, told: str):
    with pytest.raises(MappingError, match=told):
        source(people=people)


def test_empty_cells_beyond_the_header_are_no_matter(source: Callable[..., Read]):
    read = source(people="ref,name,balance,,\n1,Анна,500,,,\n2,Мария\n")

    assert [(one.ref, one.balance) for one in read.people] == [("1", 500), ("2", None)]
    assert read.unknown_columns == ()


@pytest.mark.parametrize(
    ("created_at", "is_taken"),
    [
        ("0001-01-01T00:00:00+03:00", False),
        ("9999-12-31T23:59:59-03:00", False),
        ("0001-01-01", False),
        ("1969-12-31T23:59:59Z", False),
        ((NOW + timedelta(days=2)).isoformat(), False),
        ("1970-01-01", True),
        (NOW.isoformat(), True),
    ],
)
async def test_nobody_registered_before_computers_or_in_the_future(
    pool: Pool, source: Callable[..., Read], created_at: str, is_taken: bool
):
    read = source(people=f"ref,name,created_at\n1,Анна,{created_at}\n", visits="ref,person\n")

    assert [(one.why, one.detail) for one in read.refused] == (
        [] if is_taken else [(Why.TIME_FAR_OFF, "created_at")]
    )
    await run(pool, replace(read, refused=()))
    async with pool.connection() as conn:
        found = await search_users(conn, text="", before_id=None, limit=5)
    assert len(found) == is_taken


@pytest.mark.parametrize("column", ["wall_time", "starts_at"])
@pytest.mark.parametrize("time", ["0001-01-01T00:00:00", "9999-12-31T23:59:59"])
async def test_no_visit_is_ages_away(source: Callable[..., Read], column: str, time: str):
    offset = {"wall_time": "", "starts_at": "+03:00"}[column]

    read = source(visits=f"ref,person,{column}\n1,1,{time}{offset}\n")

    assert [(one.why, one.detail) for one in read.ask] == [(Why.TIME_FAR_OFF, column)]


@pytest.mark.parametrize(
    ("zones", "earns_from"),
    [
        (["Asia/Vladivostok"], date(2025, 7, 2)),
        (["Europe/Moscow", "Asia/Vladivostok"], date(2025, 7, 2)),
        (["America/New_York"], date(2025, 7, 1)),
        ([None], date(2025, 7, 1)),
        ([], date(2025, 7, 1)),
    ],
)
async def test_people_earn_from_the_salons_day_of_the_import(
    pool: Pool, source: Callable[..., Read], zones: list[str | None], earns_from: date
):
    """In Vladivostok the next day has begun ten hours ago, and its morning's visits are in the app's balances."""
    async with pool.connection() as conn:
        await add_user(conn, email="anna@salon.test", email_verified_at=NOON)
        for id_, zone in enumerate(zones, start=1):
            await conn.execute(
                "insert into companies (id, title, timezone_name, known_since) values (%s, '', %s, %s)",
                [id_, zone, NOON],
            )

    await move_in(
        pool,
        source(visits="ref,person\n"),
        source="old",
        company_ids=[1, 2],
        policy=FIVE,
        now=datetime(2025, 7, 1, 23, tzinfo=UTC),
        apply=True,
    )

    assert await rows(pool, "select earns_from from users") == [(earns_from,), (earns_from,)]


@pytest.mark.parametrize("proved_at", [NOON, None])
async def test_a_phone_that_is_proved_here_gets_no_second_holder(
    pool: Pool, source: Callable[..., Read], proved_at: datetime | None
):
    async with pool.connection() as conn:
        here = await add_user(conn, phone="+79161234567", phone_verified_at=proved_at)

    report = await run(pool, source(visits="ref,person\n"))

    is_held = proved_at is not None
    asked = [(one.ref, one.why, one.detail) for one in report.ask]
    assert asked == ([("1", Why.PHONE_HELD, str(here))] if is_held else [])
    assert await rows(pool, "select name, email_verified, phone_verified from users order by id") == [
        ("", False, is_held),
        ("Анна", True, not is_held),
        ("Мария", False, True),
    ]


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (
            "postgresql+psycopg2://reader:secret@localhost/app",
            r"postgresql\+psycopg2://.* no .*postgresql://user",
        ),
        ("mysql://reader:secret@localhost/app", "mysql://.* no .*postgresql://user"),
        ("reader:secret@localhost/app", "postgresql://user"),
        ("postgresql://reader:secret%zz@localhost/app", "%25"),
        ("postgresql://reader:secret secret@localhost/app", "%20"),
        ("postgresql://reader:p@secret@localhost:1/app", "%40"),
        ("postgresql://reader:secret/secret@localhost:1/app", "%2F"),
        ("host=localhost password=secret secret=1", "postgresql://user"),
        (f"postgresql://reader:secret@{'a' * 70}/app", "postgresql://user"),
    ],
)
def test_an_address_that_is_none_is_told_without_its_password(url: str, told: str):
    with pytest.raises(MappingError, match=told) as raised, open_source(Mapping("app", url)):
        pass

    assert "secret" not in str(raised.value)
    assert raised.value.__cause__ is None or "secret" not in str(raised.value.__cause__)


@pytest.mark.parametrize(
    ("points", "is_taken"), [("1000000000000", True), ("1000000000001", False), ("-9" + "0" * 18, False)]
)
def test_nobody_has_more_points_than_there_can_be(source: Callable[..., Read], points: str, is_taken: bool):
    read = source(people=f"ref,name,balance\n1,Анна,{points}\n", visits=f"ref,person,points\n9,1,{points}\n")

    told = [] if is_taken else [Why.NO_WHOLE_NUMBER]
    assert [one.why for one in read.refused] == told
    assert [one.why for one in read.ask] == told


def test_a_record_id_may_be_larger_than_any_sum_of_points(source: Callable[..., Read]):
    read = source(visits="ref,person,record_id\n1,1,1000000000001\n")

    assert [one.record_ids for one in read.visits] == [(1_000_000_000_001,)]
