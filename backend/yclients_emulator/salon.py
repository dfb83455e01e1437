"""The demo salon: invented people and prices, three branches in three zones, past weeks and coming days."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from random import Random

from yclients_emulator.emulator import Emulator, utc_now
from yclients_emulator.hooks import Sender
from yclients_emulator.model import Activity, Category, Company, Service, Staff
from yclients_emulator.schedule import is_busy, working_window
from yclients_emulator.settings import EmulatorSettings

MOSCOW, YEKATERINBURG, BERLIN = 100200, 100201, 100202
HISTORY_DAYS = 21
AHEAD_DAYS = 10

NAMES = (
    "Анна",
    "Мария",
    "Елена",
    "Ольга",
    "Ирина",
    "Дарья",
    "Юлия",
    "Полина",
    "Вера",
    "Алина",
    "Павел",
    "Игорь",
)
SURNAMES = ("Примерова", "Образцова", "Ивушкина", "Лугова", "Рябинина", "Тихая", "Снегова", "Заречная")
COMMENTS = (
    "",
    "",
    "",
    "Позвонить за час",
    "Аллергия на краску",
    "Придёт с ребёнком",
    "Хочет к тому же мастеру",
)
MASTERS = (
    ("Алиса Рощина", "Парикмахер-стилист", (31, "Топ-мастер"), 4.9, 118, (0, 1, 2, 3), (0,)),
    ("Марк Соловьёв", "Барбер", (32, "Мастер"), 4.7, 64, (0, 3), (1,)),
    ("Вера Лисицына", "Колорист", None, 0, 0, (0, 1, 2), (2,)),
    ("Нина Облакова", "Мастер маникюра", (32, "Мастер"), 4.8, 91, (4, 5), (6,)),
)
ABOUT = {
    "Алиса Рощина": "<p>Стрижки и&nbsp;укладки, 12 лет у&nbsp;зеркала.</p><p>Любит сложные формы.</p>",
    "Нина Облакова": "Покрытие держится до&nbsp;трёх недель.",
}
SERVICES = (  # title, category, price from and to in roubles, minutes
    ("Женская стрижка", 0, 2500, 3500, 60),
    ("Окрашивание", 1, 6500, 9000, 150),
    ("Укладка", 0, 1800, 1800, 60),
    ("Мужская стрижка", 0, 1500, 1500, 45),
    ("Маникюр с покрытием", 2, 2200, 2200, 90),
    ("Педикюр", 2, 2990.5, 2990.5, 90),
)
CATEGORIES = ("Волосы", "Цвет", "Ногти")


def new_demo_emulator(
    settings: EmulatorSettings | None = None,
    *,
    seed: int = 1,
    clock: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    sender: Sender | None = None,
) -> Emulator:
    """Return an emulator with the demo salon: three branches, specialists, past weeks and coming days, all by `seed`."""
    emulator = Emulator(settings, seed=seed, clock=clock, sleep=sleep, sender=sender)
    fill_demo(emulator)
    return emulator


def fill_demo(emulator: Emulator) -> None:
    """Fill an empty emulator with the salon, by its seed and clock, without webhooks."""
    rng = emulator.random("salon")
    emulator.muted = True
    branches = (
        Company(id=MOSCOW, title="Салон «Отражение»", zone_name="Europe/Moscow", form_id=300400),
        Company(
            id=YEKATERINBURG,
            title="Салон «Отражение» на Урале",
            zone_name="Asia/Yekaterinburg",
            city="Екатеринбург",
            form_id=300401,
        ),
        Company(
            id=BERLIN,
            title="Салон «Отражение» в Берлине",
            zone_name="Europe/Berlin",
            city="Берлин",
            form_id=300402,
            wrong_summer_offset=True,
        ),
    )
    for number, company in enumerate(branches):
        emulator.vendor.add_company(company)
        _add_catalogue(emulator, company, number)
        _add_people(emulator, company, number, rng)
        _add_visits(emulator, company, rng, every=1 if number == 0 else 3)
    emulator.muted = False


def _add_catalogue(emulator: Emulator, company: Company, number: int) -> None:
    vendor = emulator.vendor
    for index, title in enumerate(CATEGORIES):
        category_id = 2001 + number * 100 + index
        vendor.categories[category_id] = Category(id=category_id, company_id=company.id, title=title)
    for index, (title, category, low, high, minutes) in enumerate(SERVICES):
        service_id = 3001 + number * 100 + index
        vendor.services[service_id] = Service(
            id=service_id,
            company_id=company.id,
            category_id=2001 + number * 100 + category,
            title=title,
            price_min=round(low * 100),
            price_max=round(high * 100),
            seance_length=minutes * 60,
            weight=10 - index,
        )
    for index, (name, what, position, rating, votes, does, off) in enumerate(MASTERS):
        staff_id = 501 + number * 100 + index
        vendor.staff[staff_id] = Staff(
            id=staff_id,
            company_id=company.id,
            name=name,
            specialization=what,
            position=position,
            rating=rating,
            votes_count=votes,
            about=ABOUT.get(name, ""),
            service_ids=tuple(3001 + number * 100 + one for one in does),
            days_off=off,
        )
    administrator = 591 + number * 100
    vendor.staff[administrator] = Staff(
        id=administrator, company_id=company.id, name="Администратор", bookable=False
    )


def _add_people(emulator: Emulator, company: Company, number: int, rng: Random) -> None:
    now = emulator.now() - timedelta(days=HISTORY_DAYS + 30)
    for index in range(40 if number == 0 else 15):
        phone = f"7000{1_000_000 * (number + 1) + index:07d}"
        email = f"client{index}.b{number}@example.com" if rng.random() < 0.6 else ""
        surname = rng.choice(SURNAMES) if rng.random() < 0.7 else ""
        emulator.vendor.save_client(
            now, company.id, phone, name=rng.choice(NAMES), surname=surname, email=email
        )


def _add_visits(emulator: Emulator, company: Company, rng: Random, every: int) -> None:
    vendor, now = emulator.vendor, emulator.now()
    today = company.local(now).replace(hour=0, minute=0, second=0, microsecond=0)
    clients = [one for one in vendor.clients.values() if one.company_id == company.id]
    event_day = today + timedelta(days=3, hours=9)
    vendor.activities[880_001 + company.id - MOSCOW] = Activity(
        id=880_001 + company.id - MOSCOW,
        company_id=company.id,
        staff_id=vendor.company_staff(company.id)[2].id,
        service_id=vendor.company_services(company.id)[2].id,
        date=event_day,
        length=3600,
        capacity=6,
    )
    for ahead in range(-HISTORY_DAYS, AHEAD_DAYS, every):
        for staff in vendor.company_staff(company.id):
            window = working_window(company, staff, (today + timedelta(days=ahead)).date())
            if not staff.bookable or window is None:
                continue
            starts = window[0] + timedelta(minutes=30 * rng.randrange(4))
            busy_until = window[1] if ahead < 1 else window[0] + timedelta(hours=5)
            while starts < busy_until:
                starts = _add_visit(emulator, company, staff, starts, window[1], rng, rng.choice(clients).id)


def _add_visit(
    emulator: Emulator,
    company: Company,
    staff: Staff,
    starts: datetime,
    closes: datetime,
    rng: Random,
    client_id: int,
) -> datetime:
    """Add one visit from `starts`, with its outcome if it is over; return when the next may begin."""
    vendor, now = emulator.vendor, emulator.now()
    service = vendor.services[rng.choice(staff.service_ids)]
    ends = starts + timedelta(seconds=service.seance_length)
    if ends > closes or is_busy(vendor, staff.id, starts, ends):
        return starts + timedelta(hours=1)
    kind = rng.random()
    line = vendor.line(service.id, discount=10 if rng.random() < 0.1 else 0, amount=2 if kind > 0.97 else 1)
    made = min(company.moment(starts), now) - timedelta(days=rng.randrange(1, 7), seconds=rng.randrange(9000))
    record = vendor.create_record(
        made,
        company_id=company.id,
        staff_id=staff.id,
        date=starts,
        seance_length=service.seance_length,
        lines=() if kind < 0.04 else (line,),
        client_id=None if kind < 0.07 else client_id,
        comment="не записывать" if kind < 0.04 else rng.choice(COMMENTS),
        online=rng.random() < 0.5,
        custom_fields={"source": "Инстаграм"} if kind > 0.9 else {},
    )
    over = company.moment(ends)
    luck = rng.random()
    if over < now and record.lines:
        came = -1 if luck < 0.07 else 1
        vendor.change_record(over, record.id, attendance=came, paid_full=came == 1)
    elif luck < 0.3 and record.lines:
        vendor.change_record(made + timedelta(hours=1), record.id, attendance=2)
    if luck > 0.95:
        vendor.delete_record(min(over, now) - timedelta(minutes=5), record.id)
    return ends + timedelta(minutes=30 * rng.randrange(3))
