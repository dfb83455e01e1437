import json

import pytest

from zerkalo.kit.text import in_any_case, printable_text, storable_json, storable_text


def test_what_postgresql_refuses_is_replaced_in_text() -> None:
    assert storable_text("a\x00b\ud800c🙂") == "a\ufffdb\ufffdc🙂"
    assert storable_text("длинный", 4) == "длин"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'"a\u0000b"', "a\ufffdb"),
        (rb'"\ud83d\ude42"', "🙂"),
        (rb'"\uD83D"', "\ufffd"),
        (rb'"\ude42\ud83d"', "\ufffd\ufffd"),
        (rb'"\ud83d\ud83d\ude42"', "\ufffd🙂"),
        (rb'"\\u0000"', "\\u0000"),  # an escaped backslash, then the letters u0000
        (rb'"\\\u0000"', "\\\ufffd"),
        ('"Код\\u0000"'.encode(), "Код\ufffd"),
        (b'"\xff\xfe"', "\ufffd\ufffd"),
        (b'\xef\xbb\xbf"bom"', "bom"),
    ],
)
def test_json_becomes_storable_and_keeps_the_rest(body: bytes, text: str) -> None:
    assert json.loads(storable_json(body)) == text


def test_a_body_with_nothing_to_replace_is_itself() -> None:
    body = '{"comment": "Код клиента: ABC12345 \\u041a \\n \\ud83d\\ude42"}'.encode()

    assert storable_json(body) == body


def test_what_a_terminal_shows_can_neither_steer_it_nor_begin_a_line():
    assert printable_text("Стрижка ×2") == "Стрижка ×2"
    assert printable_text("a\x1b[2Jb\r\nc\u202ed\u2028e") == "a?[2Jb??c?d?e"


def test_a_text_is_found_in_large_and_in_small_letters() -> None:
    assert in_any_case("Ёл. b-1ß") == r"[Ёё][Лл]\.\ [Bb]\-1ß"
