"""The report of an import as text, in Russian or English."""

from collections.abc import Callable, Sequence

from zerkalo.importing.model import Question, Report, Why
from zerkalo.kit.language import Language

_REASONS: dict[Why, dict[Language, str]] = {
    Why.REF_EMPTY: {"ru": "ref пуст", "en": "ref is empty"},
    Why.REF_TWICE: {"ru": "такой ref уже был", "en": "this ref came before"},
    Why.EMAIL_UNREADABLE: {"ru": "email не похож на адрес", "en": "email is no address"},
    Why.PHONE_UNREADABLE: {"ru": "phone не похож на телефон", "en": "phone is no phone number"},
    Why.CODE_UNREADABLE: {
        "ru": "code: нужно от 4 до 20 латинских букв и цифр",
        "en": "code is not 4 to 20 letters and digits",
    },
    Why.HASH_UNUSABLE: {
        "ru": "password_hash: не argon2 и не bcrypt, или проверка заняла бы слишком долго",
        "en": "password_hash is no argon2 or bcrypt hash of a bearable cost",
    },
    Why.NO_FLAG: {"ru": "{detail}: не true и не false", "en": "{detail} is neither true nor false"},
    Why.NO_WHOLE_NUMBER: {
        "ru": "{detail}: не целое число или слишком большое",
        "en": "{detail} is no whole number, or too large",
    },
    Why.NO_TIME: {
        "ru": "{detail}: не время вида 2026-03-05 12:00",
        "en": "{detail} is no time like 2026-03-05 12:00",
    },
    Why.TIME_FAR_OFF: {
        "ru": "{detail}: такого времени не может быть, оно раньше 1970 года или в далёком будущем",
        "en": "{detail} can't be true: it is before 1970 or far in the future",
    },
    Why.NO_RECORD_ID: {"ru": "record_id: не номер записи", "en": "record_id is no record's id"},
    Why.WALL_TIME_WITH_OFFSET: {
        "ru": "wall_time с часовым поясом: у часов салона его нет, назовите столбец starts_at",
        "en": "wall_time has an offset: the salon's clock has none, name the column starts_at",
    },
    Why.INSTANT_WITHOUT_OFFSET: {
        "ru": "{detail} без часового пояса: если это часы салона, назовите столбец wall_time",
        "en": "{detail} has no offset: if it is the salon's clock, name the column wall_time",
    },
    Why.SAME_CODE: {"ru": "тот же код у {detail}", "en": "{detail} has the same code"},
    Why.SAME_EMAIL: {
        "ru": "тот же e-mail, без учёта регистра, у {detail}: он никому не засчитан как подтверждённый",
        "en": "{detail} has the same e-mail, but for case: it counts as proved for nobody",
    },
    Why.SAME_PHONE: {
        "ru": "тот же телефон у {detail}: он никому не засчитан как подтверждённый",
        "en": "{detail} has the same phone: it counts as proved for nobody",
    },
    Why.PHONE_HELD: {
        "ru": "этот телефон подтвердил пользователь Zerkalo {detail}: здесь он не засчитан. Если это один человек, объедините",
        "en": "user {detail} of Zerkalo has proved this phone: it does not count here. If they are one person, merge them",
    },
    Why.SAME_USER: {
        "ru": "другой человек источника — тот же пользователь Zerkalo",
        "en": "another person of the source is the same user of Zerkalo",
    },
    Why.SEVERAL_USERS: {
        "ru": "код и контакты принадлежат разным пользователям Zerkalo",
        "en": "code and contacts are those of several users of Zerkalo",
    },
    Why.CODE_OF_ERASED: {
        "ru": "код принадлежал человеку, чьи данные удалены: дайте другой",
        "en": "the code was an erased person's: give another one",
    },
    Why.ERASED: {
        "ru": "данные этого человека удалены по его просьбе: уберите строку",
        "en": "this person's data were erased at their wish: leave the line out",
    },
    Why.BALANCE_NEGATIVE: {
        "ru": "баланс меньше нуля: переносится как есть",
        "en": "the balance is below zero: it is brought as it is",
    },
    Why.TWO_IDS: {"ru": "в заметке два номера записи", "en": "the note names two record ids"},
    Why.CLAIMED_TWICE: {
        "ru": "на эту же запись указывает другой визит",
        "en": "another visit claims the same record",
    },
    Why.RECORD_DOES_NOT_FIT: {
        "ru": "запись с этим номером — другого клиента или на другое время",
        "en": "the record of this id is another client's or at another time",
    },
    Why.SEVERAL_COMPANIES: {
        "ru": "запись с этим номером есть в нескольких филиалах: задайте company_id",
        "en": "several branches have a record of this id: set company_id",
    },
    Why.SEVERAL_FIT: {
        "ru": "подходят несколько записей: человек, время и услуга одни и те же",
        "en": "several bookings fit the person, the time and the service",
    },
    Why.NOBODY: {
        "ru": "такого человека нет среди people, или его строка отклонена",
        "en": "the person is not among the people, or their line is refused",
    },
    Why.NOT_IN_MIRROR: {"ru": "в YCLIENTS такого визита нет", "en": "YCLIENTS shows no such visit"},
    Why.ANOTHER_USER: {
        "ru": "запись уже связана с другим пользователем, и надёжнее",
        "en": "the booking is linked to another user by stronger evidence",
    },
    Why.NOT_PAIRED: {
        "ru": "для визита не нашлось записи: его баллы войдут в начальный остаток",
        "en": "no booking was found for the visit: its points go to the opening balance",
    },
    Why.POINTS_UNSAYABLE: {
        "ru": "столько баллов не даёт никакой процент от цены: они войдут в начальный остаток",
        "en": "no percent of the price gives these points: they go to the opening balance",
    },
    Why.POINTS_NOT_EARNED: {
        "ru": "визит не завершён: его баллы войдут в начальный остаток",
        "en": "the visit is not completed: its points go to the opening balance",
    },
}

_WORDS: dict[str, tuple[str, str]] = {
    "app": ("в приложении", "in the app"),
    "here": ("в Zerkalo", "in Zerkalo"),
    "difference": ("разница", "difference"),
    "people": ("Люди", "People"),
    "visits": ("Визиты", "Visits"),
    "points": ("Баллы", "Points"),
    "of_people": (
        "Люди: новых {new}, известных {known}, отклонено {refused}",
        "People: {new} new, {known} known, {refused} refused",
    ),
    "of_visits": (
        (
            "Визиты: по номеру записи {record}, по контакту {contact}, перенесены раньше {known},"
            " спросить {ask}, нет в YCLIENTS {missing}"
        ),
        (
            "Visits: {record} by their record, {contact} by contact, {known} brought before, {ask} to ask about,"
            " {missing} not in YCLIENTS"
        ),
    ),
    "of_points": (
        "Баллы: за визиты {visits}, начальный остаток {opening}",
        "Points: {visits} for visits, {opening} as opening balances",
    ),
    "brought": (
        "Баллы перенесены в прошлый раз; с тех пор их ведёт Zerkalo.",
        "The points were brought before; since then Zerkalo keeps them.",
    ),
    "never": (
        "Баллы, которые нельзя привязать к визиту, войдут в начальный остаток, строк: {}",
        "Points that no visit can carry go to the opening balance, lines: {}",
    ),
    "off_starts_at": (
        (
            "Часы не сходятся: {visits} из {compared} визитов источника {later} YCLIENTS на {hours} ч. Похоже, что столбец"
            " starts_at — часы салона: отдайте его без часового пояса под именем wall_time."
        ),
        (
            "The clocks differ: {visits} of {compared} visits of the source are {later} than in YCLIENTS by {hours} h."
            " starts_at seems to be the salon's clock: give it without an offset, named wall_time."
        ),
    ),
    "off_wall_time": (
        (
            "Часы не сходятся: {visits} из {compared} визитов источника {later} YCLIENTS на {hours} ч. Похоже, что столбец"
            " wall_time хранит не часы салона, а UTC: отдайте его с часовым поясом под именем starts_at."
        ),
        (
            "The clocks differ: {visits} of {compared} visits of the source are {later} than in YCLIENTS by {hours} h."
            " wall_time seems to be UTC and not the salon's clock: give it with an offset, named starts_at."
        ),
    ),
    "later": ("позже, чем в", "later"),
    "earlier": ("раньше, чем в", "earlier"),
    "unread": ("Столбцы, которые не читаются: {}", "Columns that are not read: {}"),
    "look": ("Посмотреть: {}", "Look at: {}"),
    "written": ("Записано.", "Written."),
    "nothing_new": (
        "Всё уже перенесено: записывать нечего.",
        "All of it was brought before: nothing to write.",
    ),
    "not_written": (
        "Ничего не записано. Записать: добавьте --apply",
        "Nothing was written. To write it, add --apply",
    ),
    "forbidden": (
        "Ничего не записано: исправьте строки отклонённых людей и запустите снова",
        "Nothing was written: mend the lines of the refused people and run it again",
    ),
    "kept": (
        "Копия перед переносом: {file} (вернуть: zerkalo restore {file} --force)",
        "Backup before the import: {file} (to bring it back: zerkalo restore {file} --force)",
    ),
}
_COLUMN = 14


def say(word: str, language: Language) -> str:
    """Return a text by its name."""
    return _WORDS[word][0 if language == "ru" else 1]


def reason(question: Question, language: Language) -> str:
    """Say why a line needs a person's decision, for the files."""
    return _REASONS[question.why][language].format(detail=question.detail)


def lines_of(report: Report, files: Sequence[object], language: Language) -> list[str]:
    """Return the report as lines of text: a table of before and after, then the details."""

    def told(word: str) -> str:
        return say(word, language)

    lines = [*_table(report, told), "", *_behind(report, told)]
    if report.hours_off:
        lines.append(_clocks(report, told))
    if report.never_awarded:
        lines.append(told("never").format(len(report.never_awarded)))
    if report.unknown_columns:
        lines.append(told("unread").format(", ".join(report.unknown_columns)))
    lines += [told("look").format(file) for file in files]
    return [*lines, told(_end(report))]


def _end(report: Report) -> str:
    if not report.may_apply:
        return "forbidden"
    if not report.writes:
        return "nothing_new"
    return "written" if report.applied else "not_written"


def _table(report: Report, told: Callable[[str], str]) -> list[str]:
    rows = [
        ("people", report.people_read, report.people_new + report.people_known),
        ("visits", report.visits_read, report.visits_linked),
    ]
    if report.people_new or report.points_before or not report.visits_known:
        rows.append(("points", report.points_before, report.points_after))
    head = "".join(f"{told(word):>{_COLUMN}}" for word in ("app", "here", "difference"))
    return [
        f"{'':<8}{head}",
        *(
            f"{told(name):<8}{before:>{_COLUMN}}{after:>{_COLUMN}}{_signed(after - before):>{_COLUMN}}"
            for name, before, after in rows
        ),
    ]


def _signed(number: int) -> str:
    return f"{number:+}" if number else "0"


def _behind(report: Report, told: Callable[[str], str]) -> list[str]:
    people = told("of_people").format(
        new=report.people_new, known=report.people_known, refused=len(report.refused)
    )
    visits = told("of_visits").format(
        record=report.visits_by_record,
        contact=report.visits_by_contact,
        known=report.visits_known,
        ask=sum(one.visit is not None for one in report.ask),
        missing=len(report.not_in_mirror),
    )
    points = told("of_points").format(visits=report.points_by_visit, opening=report.points_opening)
    return [people, visits, points if report.people_new or report.points_before else told("brought")]


def _clocks(report: Report, told: Callable[[str], str]) -> str:
    off = report.hours_off
    assert off is not None, "asked by the caller"
    later = told("later" if off.hours > 0 else "earlier")
    return told(f"off_{off.column}").format(
        visits=off.visits, compared=off.compared, hours=abs(off.hours), later=later
    )
