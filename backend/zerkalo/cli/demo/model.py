"""The people of the demo's salon. All of them are made up; their phones are of a range that no operator has."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from zerkalo.codes.rules import new_code

COMPANY_ID = 100200
"""The emulator's branch in Moscow."""
PASSWORD = "demo-password"  # noqa: S105  a demo's passwords are no secrets: its server listens on this machine only


@dataclass(frozen=True)
class Guest:
    """A client of the salon. `code` is empty for those who have no account."""

    name: str
    surname: str
    email: str
    phone: str
    likes: tuple[int, ...]
    """Services by their place in the emulator's catalogue, in the order in which they are taken by turns."""
    every_days: int
    card_has_email: bool
    code: str = ""

    @property
    def is_user(self) -> bool:
        return bool(self.code)


@dataclass(frozen=True)
class Login:
    """Somebody to sign in as."""

    email: str
    password: str
    name: str
    phone: str
    code: str


USER = Login("demo@example.com", PASSWORD, "Анна Примерова", "+70000000001", "ABC12345")
ADMIN = Login("admin@example.com", "admin-password", "Администратор", "+70000000002", "ADMNCDFG")
RECEPTIONIST = Login("reception@example.com", PASSWORD, "Вероника Приёмова", "+70000000004", "RCPTCDFG")

CUT, COLOUR, STYLING, MENS_CUT, MANICURE, PEDICURE = range(6)
HAIR, NAILS, BOTH = (CUT, STYLING), (MANICURE, PEDICURE), (CUT, MANICURE)
COLOURED, MEN, ALL = (COLOUR, CUT, STYLING), (MENS_CUT,), (CUT, MANICURE, COLOUR)

_GUESTS = (  # name, surname, e-mail's first part, services, days between two visits; users first
    ("Ольга", "Ветрова", "vetrova", BOTH, 21),
    ("Мария", "Лескова", "leskova", COLOURED, 58),
    ("Дарья", "Лескова", "d.leskova", HAIR, 35),
    ("Екатерина", "Зимина", "zimina", NAILS, 18),
    ("Наталья", "Осокина", "osokina", ALL, 24),
    ("Светлана", "Ручьёва", "rucheva", COLOURED, 30),
    ("Ирина", "Полянская", "polyanskaya", BOTH, 26),
    ("Юлия", "Берёзкина", "berezkina", NAILS, 19),
    ("Алина", "Снегирёва", "snegireva", ALL, 27),
    ("Полина", "Луговая", "lugovaya", HAIR, 33),
    ("Вера", "Тихонравова", "tikhonravova", COLOURED, 29),
    ("Ксения", "Яблокова", "yablokova", NAILS, 20),
    ("Татьяна", "Калинина", "kalinina", BOTH, 25),
    ("Елена", "Рощина", "roshchina", HAIR, 31),
    ("Галина", "Мостовая", "mostovaya", COLOURED, 34),
    ("Павел", "Жаворонков", "zhavoronkov", MEN, 21),
    ("Игорь", "Камышин", "kamyshin", MEN, 28),
    ("Софья", "Ольшанская", "olshanskaya", ALL, 23),
    ("Надежда", "Ключевская", "klyuchevskaya", NAILS, 22),
    ("Людмила", "Озерова", "ozerova", HAIR, 36),
    ("Кира", "Полозова", "polozova", BOTH, 27),
    ("Валентина", "Грачёва", "gracheva", HAIR, 38),
    ("Марина", "Дубровина", "dubrovina", COLOURED, 32),
    ("Оксана", "Синицына", "sinitsyna", NAILS, 21),
    ("Лидия", "Кедрова", "kedrova", HAIR, 40),
    ("Жанна", "Рябинина", "ryabinina", ALL, 30),
    ("Тамара", "Заречная", "zarechnaya", HAIR, 42),
    ("Варвара", "Ивушкина", "ivushkina", NAILS, 24),
    ("Диана", "Серебрякова", "serebryakova", COLOURED, 33),
    ("Антон", "Листьев", "listev", MEN, 25),
    ("Максим", "Перелесков", "pereleskov", MEN, 30),
    ("Роман", "Стрижов", "strizhov", MEN, 35),
    ("Эльвира", "Морозова", "morozova", BOTH, 29),
    ("Регина", "Садовская", "sadovskaya", NAILS, 26),
    ("Виктория", "Черешнева", "chereshneva", ALL, 31),
    ("Лариса", "Колосова", "kolosova", HAIR, 37),
    ("Евгения", "Родникова", "rodnikova", NAILS, 23),
    ("Инна", "Пескова", "peskova", COLOURED, 39),
    ("Раиса", "Журавлёва", "zhuravleva", HAIR, 41),
)
USERS_COUNT = 20
"""How many of the forty have an account, Anna among them."""

MOTHER, DAUGHTER = "leskova", "d.leskova"
"""One gave a phone for the other's card: two people fit."""
UNPROVED = "polozova"
"""Has an account, but has proved nothing yet."""
BORROWED, BORROWER = "osokina", "gracheva"
"""An e-mail of the one comes to the card of the other: it gives nothing away."""


def anna() -> Guest:
    """The one whom the demo signs in as."""
    name, _, surname = USER.name.partition(" ")
    likes = (CUT, COLOUR, MANICURE, CUT, STYLING, PEDICURE)
    return Guest(name, surname, USER.email, USER.phone, likes, 32, card_has_email=True, code=USER.code)


def guests(rng: Random) -> Iterator[Guest]:
    """The forty, Anna first; only their codes are made by chance."""
    yield anna()
    for number, (name, surname, mailbox, likes, every_days) in enumerate(_GUESTS, 1):
        yield Guest(
            name=name,
            surname=surname,
            email=f"{mailbox}@example.com",
            phone=f"+7000{1_000_000 + number * 1_307:07d}",
            likes=likes,
            every_days=every_days,
            card_has_email=number % 5 != 0,
            code=new_code(rng) if number < USERS_COUNT else "",
        )


def named(people: Sequence[Guest], mailbox: str) -> Guest:
    """The guest with that mailbox."""
    return next(guest for guest in people if guest.email == f"{mailbox}@example.com")
