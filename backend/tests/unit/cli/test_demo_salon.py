"""The demo's salon: the same for everybody, and as full of life as its banner says."""

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.support.emulator import NOON
from yclients_emulator import desk, new_demo_emulator
from yclients_emulator.emulator import Emulator
from yclients_emulator.model import Record
from zerkalo.cli.demo import command
from zerkalo.cli.demo.model import COMPANY_ID, USER, USERS_COUNT, Guest
from zerkalo.cli.demo.visits import fill, visit_of_today
from zerkalo.cli.shared.failure import CommandFailed


def _filled(seed: int = 1) -> tuple[Emulator, list[Guest]]:
    emulator = new_demo_emulator(seed=seed, clock=lambda: NOON)
    return emulator, fill(emulator)


def test_the_same_seed_and_day_make_the_same_salon():
    (one, people), (other, others) = _filled(), _filled()

    assert desk.truths(one) == desk.truths(other)
    assert people == others
    assert desk.truths(one) != desk.truths(_filled(seed=2)[0])


def test_forty_clients_have_cards_and_half_of_them_accounts():
    emulator, people = _filled()

    assert len(people) == 2 * USERS_COUNT == 40
    assert sum(guest.is_user for guest in people) == USERS_COUNT
    assert len({guest.phone for guest in people} | {guest.email for guest in people}) == 80
    assert all(emulator.vendor.client_by_phone(COMPANY_ID, guest.phone[1:]) for guest in people)


def test_nobody_has_a_phone_that_somebody_could_have():
    emulator, people = _filled()
    phones = {card.phone for card in emulator.vendor.clients.values()} | {guest.phone[1:] for guest in people}

    assert {phone[:4] for phone in phones} == {"7000"}, "no operator has +7 000"


def test_anna_has_two_years_one_missed_one_cancelled_and_one_to_come():
    emulator, _ = _filled()
    visits = [truth for truth in desk.truths(emulator) if truth["phone"] == USER.phone[1:]]
    past = [one for one in visits if one["starts_at"] < NOON.isoformat()]
    dates = sorted(one["starts_at"] for one in past)

    assert dates[0] < (NOON - timedelta(days=690)).isoformat()
    assert [one["attendance"] for one in past if not one["deleted"]].count(-1) == 1
    assert sum(one["deleted"] for one in past) == 1
    assert len(visits) - len(past) == 1
    assert sum(one["attendance"] == 1 for one in past) > 15


@pytest.mark.parametrize("hour", [0, 9, 12, 20, 23])
@pytest.mark.parametrize("days", [0, 1, 2, 3, 4, 5, 6])
def test_anna_has_a_visit_today_whenever_the_demo_starts(hour: int, days: int):
    clock = [
        datetime(2026, 11, 27 + days % 3, hour, 55, tzinfo=ZoneInfo("Europe/Moscow")) - timedelta(days=days)
    ]
    emulator = new_demo_emulator(seed=1, clock=lambda: clock[0])
    fill(emulator)

    def of_today() -> list[Record]:
        card = emulator.vendor.client_by_phone(COMPANY_ID, USER.phone[1:])
        assert card is not None
        records = emulator.vendor.records[COMPANY_ID].values()
        return [one for one in records if one.client_id == card.id and one.date.date() == clock[0].date()]

    assert visit_of_today(emulator) == visit_of_today(emulator)
    (visit,) = of_today()
    assert (visit.date > clock[0].replace(tzinfo=None)) == (hour < 20), "ahead while the salon is open"
    clock[0] += timedelta(days=1)  # the next start goes on with the same salon
    assert visit_of_today(emulator) == of_today()[0].id


def test_no_master_is_at_two_visits_at_once():
    emulator, _ = _filled()
    records = [one for one in emulator.vendor.records[COMPANY_ID].values() if not one.deleted]
    records.sort(key=lambda one: (one.staff_id, one.date))

    assert [(a.id, b.id) for a, b in pairwise(records) if a.staff_id == b.staff_id and b.date < a.ends] == []
    assert {one.deleted for one in emulator.vendor.records[COMPANY_ID].values()} == {True, False}


def test_reset_forgets_a_demo_and_no_other_folder(tmp_path: Path):
    folder = tmp_path / "data" / "demo"
    command.forget(folder)  # there is none yet
    folder.mkdir(parents=True)
    (folder / ".env").write_text("DATA_DIR=.\n")

    with pytest.raises(CommandFailed, match="no demo's folder"):
        command.forget(folder)

    (folder / ".env").write_text(command.HEAD)
    command.forget(folder)
    assert not folder.exists()
