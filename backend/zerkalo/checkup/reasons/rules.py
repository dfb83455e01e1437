"""Reasons of failures in the reader's language: English for programs, Russian for a salon's staff. Pure.

Reasons are stored and logged in English everywhere, so that one fact has one text.
"""

import re

from zerkalo.kit.language import Language

_SENTENCES = {
    # What YCLIENTS answered to a request.
    "YCLIENTS gave no reason": "YCLIENTS не назвал причину",
    "not found": "не найдено",
    "not set": "не задано в .env",
    "the answer is endless": "ответ слишком длинный",
    "the rate limit is used up": "исчерпан лимит запросов к YCLIENTS",
    "status 404 that is not YCLIENTS's own": "ответ 404, но не от YCLIENTS: проверьте YCLIENTS_API_URL",
    "the address is not the API's": "по этому адресу нет API YCLIENTS",
    "success is false": "YCLIENTS ответил, что запрос не выполнен",
    "data is no list": "в ответе нет списка",
    "no record in the answer": "в ответе нет записи",
    "no list where one was expected": "в ответе нет списка",
    "no end of the day's records": "список записей дня не кончается",
    # What is wrong with a body.
    "malformed or cut off": "тело не JSON или оборвано",
    "not JSON": "тело не JSON",
    "nested too deeply": "слишком глубокая вложенность",
    "not an id": "это не номер",
    "not an object": "не объект",
    "not text": "не текст",
    "not a whole number": "не целое число",
    "not an amount of money": "не сумма",
    "too many decimals": "слишком много знаков после запятой",
    "out of bounds": "за пределами допустимого",
    "too many": "слишком много",
    "neither true nor false": "не да и не нет",
    "not a date with a time": "не дата со временем",
    "no datetime with an offset": "нет времени со сдвигом от UTC",
    "no readable date": "нет понятной даты",
    "another company's record": "запись другого филиала",
    "another record than the one announced": "не та запись, о которой событие",
    "a record's id differs from the event's": "номер записи не тот, что у события",
    "erased": "данные удалены по просьбе человека",
    # Why a delivery was not simply applied.
    "a block in the journal, no booking": "перерыв в журнале, а не запись",
    "YCLIENTS does not know it": "YCLIENTS не знает такой записи",
    "too thin to decide on": "данных мало, запись запрошена в YCLIENTS",
    "some keys were missing": "данных не хватает, запись запрошена в YCLIENTS",
    "told without its change time": "нет времени изменения, запись запрошена в YCLIENTS",
    "the same change time, with keys missing": "то же время изменения и не все данные, запись запрошена в YCLIENTS",
    "the same change time with other content": "то же время изменения, но другие данные: запись запрошена в YCLIENTS",
    "the row changed while YCLIENTS was asked": "запись изменилась, пока шёл запрос к YCLIENTS",
    "an unsigned call is checked with the API": "вызов без секрета проверяется запросом к YCLIENTS",
    "a replayed call is checked with the API": "повтор проверяется запросом к YCLIENTS",
    "a bare deletion is checked with the API": "удаление без данных проверяется запросом к YCLIENTS",
    "a deletion of a record that says that it is not deleted": "событие об удалении, а запись не удалена: запрошена в YCLIENTS",
    "deleted here: only an API read of the record revives it": "у нас запись удалена: вернуть её может только запрос к YCLIENTS",
    "older than the change time that we have": "ответ YCLIENTS старше нашего времени изменения: запись спрошена ещё раз",
    "its change time lies in the future": "время изменения из будущего: запись запрошена в YCLIENTS",
    "a change time lies in the future": "время изменения из будущего: запись запрошена в YCLIENTS",
    "deleted, and older than the change time that we have": "удалена раньше, чем у нас изменена: запись запрошена в YCLIENTS",
}
_PATTERNS = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"no connection: (\w+)", "нет соединения с YCLIENTS ({})"),
        (r"no answer: (\w+)", "YCLIENTS не ответил ({})"),
        (r"status (\d+)", "YCLIENTS ответил ошибкой {}"),
        (r"no end of the list after (\d+) pages", "список не кончился на странице {}"),
        (r"the list repeats itself after (\d+) of (\d+) records", "список повторяется: записей {} из {}"),
        (r"the list did not end within (\d+) pages", "список не кончился на странице {}"),
        (r"(\d+) processes in turn could not finish it", "её не смог закончить ни один из процессов: {}"),
        (r"internal error: (\w+)", "внутренняя ошибка ({}), подробности в логе"),
        (r"the database refused it: (.+)", "база данных не приняла данные ({})"),
        (r"our own fault: (.+)", "ошибка в Zerkalo ({})"),
        (r"no booking: an event of (\w+)", "не запись, а событие {}"),
        (r"Expected `(.+)`, got `(.+?)` - at `\$\.?(.+)`", "поле {2}: ожидалось {0}, пришло {1}"),
        (r"Expected `(.+)`, got `(.+?)`.*", "ожидалось {}, пришло {}"),
        (r"no (\w+)", "нет поля {}"),
    )
)


def reason_text(reason: str | None, language: Language) -> str:
    """Translate a reason; one without a translation, such as YCLIENTS's own text, is returned as it is. None: ""."""
    if reason is None:
        return ""
    return reason if language == "en" else _in_russian(reason)


def _in_russian(reason: str) -> str:
    if reason in _SENTENCES:
        return _SENTENCES[reason]
    for pattern, words in _PATTERNS:
        found = pattern.fullmatch(reason)
        if found is not None:
            return words.format(*found.groups())
    where, colon, what = reason.partition(": ")
    return f"{_in_russian(where)}: {_in_russian(what)}" if colon else reason
