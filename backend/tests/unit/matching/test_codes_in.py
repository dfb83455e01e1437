"""Client codes as people write them into a comment."""

import pytest

from zerkalo.matching.rules import LABELS_PER_COMMENT_MAX, codes_in, longest


@pytest.mark.parametrize(
    "comment",
    [
        "Код клиента: ABC12345",
        "код клиента: abc12345",
        "КОД КЛИЕНТА ABC12345",
        "Код клиента:ABC12345",
        "Код  клиента :  ABC12345",
        "Кодклиента:ABC12345",
        "Код клиента\nABC12345",
        "Код клиента - ABC12345",
        "Код клиента — ABC12345",
        "Код клиента №ABC12345",
        "Код клиента: #ABC12345",
        "Код клиента: ABC 12345",
        "Код клиента: ABC-12345",
        "Код клиента: A B C 1 2 3 4 5",
        "Код клиента:\u00a0ABC12345",
        "Код клиента: АВС12345",  # Cyrillic А, В, С
        "Код клиента: авс12345",
        "Kод клиeнта: ABC12345",  # Latin K and e in the label
        "Позвонить за час. Код клиента: ABC12345. Аллергия.",
        "Код клиента: ABC12345, просит кофе",
        "Код клиента: ABC12345, Код клиента: abc12345",
        "Код клиента: ABC12345 Мария",
        "«Код клиента: ABC12345»",
        "Код клиента (ABC12345)",
        "Код клиента：ABC12345",  # a full-width colon
        "Код клиента ‒ ABC12345",
        "Код клиента: ABC‑12345",  # a hyphen that breaks no line
        "Код клиента:\tABC\t12345",
        "Код\u2009клиента: ABC\u202f12345",
        "\ufeffКод клиента\u200b: \u200eABC\u200b123\u00ad45",  # copied from a page
        "Код клиента: `ABC12345`",
        "`Код клиента: ABC12345`",
        "**Код клиента:** `ABC12345`",
        "Код клиента: **ABC12345**",
        "Код клиента: _ABC12345_",
        "Код клиента: „ABC12345“",
        "Код клиента: 'ABC12345'",
    ],
)
def test_code_is_found_however_it_is_written(comment: str) -> None:
    assert codes_in(comment)[0] == "ABC12345"


@pytest.mark.parametrize(
    ("comment", "readings"),
    [
        ("Код клиента: AB12", ("AB12",)),
        ("Код клиента: ABCDE67890ABCDE67890", ("ABCDE67890ABCDE67890",)),
        ("Код клиента: ABC 12345 VIP", ("ABC12345VIP", "ABC12345")),
        ("Код клиента: ABCD-EFGH-1234, VIP", ("ABCDEFGH1234", "ABCDEFGH", "ABCD")),
        ("Код клиента: ABCDE67890 ABCDE67890 1", ("ABCDE67890ABCDE67890", "ABCDE67890")),
        ("Код клиента: ABC12345\nVIP", ("ABC12345",)),
    ],
)
def test_a_code_may_end_with_each_word_and_the_longest_reading_comes_first(
    comment: str, readings: tuple[str, ...]
) -> None:
    assert codes_in(comment) == readings


def test_of_two_readings_that_are_somebodys_the_longest_counts() -> None:
    assert longest({"ABC12345", "ABC12345VIP", "XYZ1"}) == {"ABC12345VIP", "XYZ1"}
    assert longest(set()) == set()


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "ABC12345",
        "Код: ABC12345",
        "Код клиента",
        "Код клиента: ",
        "Код клиента: ABC",
        "Код клиента: ABCDE67890ABCDE678901",
        "Код клиента: ABC1234Ж",
        "Код клиента: забыла",
        "код клиента спросить ABC12345 позже",
        "Заказ ABC12345 для клиента",
    ],
)
def test_what_is_no_code_of_a_client_is_none(comment: str) -> None:
    assert codes_in(comment) == ()


def test_several_codes_come_in_order_without_repeats() -> None:
    comment = "Код клиента: ABC12345; код клиента: XYZ67890; код клиента abc12345"

    assert codes_in(comment) == ("ABC12345", "XYZ67890")


def test_codes_are_bounded() -> None:
    comment = " ".join(f"Код клиента: AAAA{n:04}." for n in range(50))

    assert len(codes_in(comment)) == LABELS_PER_COMMENT_MAX


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "filler", ["Код клиента ", "Код клиента: A", " ", "A ", "- ", "К", "Код клиента: A-", "кодклиента"]
)
def test_a_hostile_comment_costs_no_time(filler: str) -> None:
    codes_in(filler * (20_000 // len(filler)))
