"""What `zerkalo notices` prints, in both languages."""

import pytest

from zerkalo.cli.notices import line_of, settings_line
from zerkalo.kit.language import Language
from zerkalo.notices.model import Kind, WouldBe

MOVED = WouldBe("moved", occasions=12, people=9, by_email=7, by_phone=2, by_telegram=1, unreachable=3)


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("ru", "moved\tперенос\tслучаев: 12, людей: 9; e-mail 7, SMS 2, Telegram 1; писать некуда: 3"),
        (
            "en",
            "moved\ta visit was moved\toccasions: 12, people: 9; e-mail 7, SMS 2, Telegram 1; nobody to write to: 3",
        ),
    ],
)
def test_a_kind_is_told_with_its_ways(language: Language, line: str) -> None:
    assert line_of(MOVED, language) == line


@pytest.mark.parametrize("language", ["ru", "en"])
def test_every_kind_has_words_and_what_is_switched_on_is_told(language: Language) -> None:
    for kind in Kind:
        assert line_of(WouldBe(kind, 0, 0, 0, 0, 0, 0), language).startswith(f"{kind}\t")
    assert "24" in settings_line((), None, language)
    assert "moved, points" in settings_line(("moved", "points"), 3, language)
