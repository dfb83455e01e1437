"""Why something went wrong, in Russian: every reason that the source names, and those that are put together."""

import ast
import re
from collections.abc import Iterator

import pytest

from tests.support.project import BACKEND
from zerkalo.checkup.model import Problem, Severity
from zerkalo.checkup.reasons.rules import reason_text
from zerkalo.checkup.texts.rules import text_of

TELLING = {
    *("VendorUnavailable", "NotJson", "NotEnvelope", "FieldError", "IncompleteRead", "UnreadableRecord"),
    *("Refetch", "Ignore", "Quarantine", "_ask", "_fail"),
}
"""What is called with a reason; its first literal is the reason."""
KEYWORDS = {"reason", "refetch"}
NOT_SHOWN = {"absent from a complete read", "a list left it open"}
"""Why a run asks; nobody is shown that."""
FOLDERS = ("yclients", "sync", "bookings", "booking_form")


def _named_reasons() -> Iterator[str]:
    for folder in FOLDERS:
        for path in sorted((BACKEND / "zerkalo" / folder).glob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call):
                    yield from _reasons_of(node)


def _reasons_of(call: ast.Call) -> Iterator[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    told = [one.value for one in call.keywords if one.arg in KEYWORDS]
    for one in (*(call.args if name in TELLING else ()), *told):
        if isinstance(one, ast.Constant) and isinstance(one.value, str):
            yield one.value


REASONS = sorted(set(_named_reasons()) - NOT_SHOWN)


def test_the_source_names_reasons():
    assert {"malformed or cut off", "told without its change time", "the answer is endless"} <= set(REASONS)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_the_source_is_told_in_russian(reason: str):
    assert re.search("[а-яё]", reason_text(reason, "ru")), "add a sentence to checkup/reasons/rules.py"
    assert reason_text(reason, "en") == reason


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("no connection: ConnectError", "нет соединения с YCLIENTS (ConnectError)"),
        ("status 503", "YCLIENTS ответил ошибкой 503"),
        ("401: Необходима авторизация", "401: Необходима авторизация"),
        ("403: YCLIENTS gave no reason", "403: YCLIENTS не назвал причину"),
        ("success is false: Нет прав", "YCLIENTS ответил, что запрос не выполнен: Нет прав"),
        ("status 302: the address is not the API's", "YCLIENTS ответил ошибкой 302: по этому адресу нет API YCLIENTS"),
        ("the list repeats itself after 7 of 90 records", "список повторяется: записей 7 из 90"),
        ("20 processes in turn could not finish it", "её не смог закончить ни один из процессов: 20"),
        ("services: cost: not an amount of money", "services: cost: не сумма"),
        ("no company_id", "нет поля company_id"),
        ("no booking: an event of client", "не запись, а событие client"),
        ("Expected `object | array | null`, got `str` - at `$.services`", "поле services: ожидалось object | array | null, пришло str"),
        ("Expected `object`, got `array`", "ожидалось object, пришло array"),
        ("something new", "something new"),
        (None, ""),
    ],
)  # fmt: skip
def test_what_is_put_together_is_told_piece_by_piece(reason: str | None, told: str):
    assert reason_text(reason, "ru") == told


def test_check_tells_the_reason_in_the_language_it_speaks():
    problem = Problem("sync_failed", Severity.ERROR, {"company": 1, "reason": "status 503"})

    assert "YCLIENTS ответил ошибкой 503" in text_of(problem, "ru")
    assert "status 503" in text_of(problem, "en")
