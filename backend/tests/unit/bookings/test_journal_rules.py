"""What a text in the journal's search may mean."""

import pytest

from zerkalo.bookings.journal.model import Search
from zerkalo.bookings.journal.rules import read_search


@pytest.mark.parametrize(
    ("text", "search"),
    [
        ("", None),
        ("  ", None),
        ("ABC12345", Search(code="ABC12345", name="abc12345")),
        ("\u0410\u0412\u042112345", Search(code="ABC12345", name="\u0430\u0432\u044112345")),
        ("Код клиента: abc-12345", Search(code="ABC12345", name="код клиента: abc-12345")),
        ("Анна  Петрова", Search(name="анна петрова")),
        ("1700901", Search(code="1700901", record_id=1700901, digits="1700901", name="1700901")),
        ("12", Search(record_id=12, name="12")),
        ("123-45-67", Search(code="1234567", digits="1234567", name="123-45-67")),
        ("9991234567", Search(code="9991234567", record_id=9991234567, phone10="9991234567")),
        ("8 (999) 123-45-67", Search(code="89991234567", phone10="9991234567")),
        ("+7 999 123-45-67", Search(code="79991234567", phone10="9991234567")),
    ],
)
def test_a_text_is_a_code_a_record_a_phone_or_a_name(text: str, search: Search | None) -> None:
    assert read_search(text) == search


def test_a_number_that_no_record_can_have_is_no_record() -> None:
    search = read_search("9" * 30)
    assert search is not None
    assert (search.record_id, search.code) == (None, None)
