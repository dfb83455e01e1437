"""The journal as a table for a spreadsheet: CSV in pieces as they are read, or an XLSX written to a file row by row.

A spreadsheet takes a cell that begins with `=`, `+`, `-` or `@` for a formula, and anybody who books online writes a name
and a comment: such a cell is quoted, in CSV by an apostrophe, in XLSX by the format for quoted text.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from io import StringIO
from typing import IO, Any

from xlsxwriter import Workbook  # pyright: ignore[reportMissingTypeStubs]  # it has none

from zerkalo.bookings.journal.model import JournalBooking
from zerkalo.kit.language import Language
from zerkalo.web.pages.admin.words import BOOKED, MATCHED_BY, payment, word
from zerkalo.web.pages.wording import Words, status_of

Cell = str | int | Decimal | date | time | None
FORMULA_BEGINNINGS = tuple("=+-@\t\r\n＝＋－＠")
XLSX_CELL_CHARS_MAX = 32_767
DAY_MINUTES = 24 * 60
HEADS: Sequence[tuple[Words, int]] = (
    ({"ru": "День", "en": "Day"}, 11),
    ({"ru": "Время", "en": "Time"}, 7),
    ({"ru": "Минут", "en": "Minutes"}, 8),
    ({"ru": "Услуги", "en": "Services"}, 32),
    ({"ru": "Цена, ₽", "en": "Price, RUB"}, 11),
    ({"ru": "Состояние", "en": "State"}, 14),
    ({"ru": "Специалист", "en": "Specialist"}, 20),
    ({"ru": "Филиал", "en": "Branch"}, 16),
    ({"ru": "Клиент", "en": "Client"}, 24),
    ({"ru": "Телефон", "en": "Phone"}, 16),
    ({"ru": "Код клиента", "en": "Client code"}, 12),
    ({"ru": "Как найден", "en": "Found by"}, 18),
    ({"ru": "Комментарий", "en": "Comment"}, 40),
    ({"ru": "Номер записи", "en": "Record"}, 14),
    ({"ru": "Оплата", "en": "Payment"}, 14),
    ({"ru": "Как записались", "en": "Booked"}, 26),
)
"""The columns with their widths, in characters."""


def cells_of(booking: JournalBooking, language: Language, branch: Callable[[int], str]) -> list[Cell]:
    """Return a booking's row, in the order of `HEADS`; times are in the salon's zone."""
    starts_at = booking.starts_at
    return [
        starts_at.date(),
        starts_at.time().replace(tzinfo=None),
        booking.service_duration,
        booking.service_name,
        Decimal(booking.service_price) / 100,
        status_of(booking.status, booking.cancel_reason, language),
        booking.staff_name,
        branch(booking.company_id),
        booking.user_name or booking.client_name,
        booking.phone,
        booking.user_code,
        word(MATCHED_BY, booking.matched_by, language),
        booking.comment,
        booking.yclients_record_id,
        payment(booking.paid, booking.prepaid, language),
        word(BOOKED, booking.booked, language),
    ]


def harmless(text: str) -> str:
    """Return the text so that no spreadsheet takes it for a formula in a CSV."""
    return f"'{text}" if text.startswith(FORMULA_BEGINNINGS) else text


def csv_head(language: Language) -> str:
    """Return the first line, with the byte order mark by which Excel recognises UTF-8."""
    return "\ufeff" + csv_lines([[words[language] for words, _ in HEADS]], language)


def csv_lines(rows: Iterable[Sequence[Cell]], language: Language) -> str:
    """Format rows for a spreadsheet of that language: in Russian, semicolons between cells and decimal commas."""
    written = StringIO()
    writer = csv.writer(written, delimiter=";" if language == "ru" else ",")
    for row in rows:
        writer.writerow([_csv_cell(cell, language) for cell in row])
    return written.getvalue()


def _csv_cell(cell: Cell, language: Language) -> str | int:
    if isinstance(cell, str):
        return harmless(cell)
    if isinstance(cell, Decimal):
        return f"{cell:.2f}".replace(".", "," if language == "ru" else ".")
    if isinstance(cell, time):
        return f"{cell:%H:%M}"
    if isinstance(cell, date):
        return f"{cell:%d.%m.%Y}" if language == "ru" else cell.isoformat()
    return "" if cell is None else cell


class Sheet:
    """An XLSX of one sheet, written row by row to a file; rows do not stay in memory."""

    def __init__(self, file: IO[bytes], language: Language) -> None:
        self._book: Any = Workbook(file, {"constant_memory": True})
        self._sheet: Any = self._book.add_worksheet("Журнал" if language == "ru" else "Journal")
        self._text = self._book.add_format({"num_format": "@"})
        self._quoted = self._book.add_format({"num_format": "@", "quote_prefix": True})
        self._day = self._book.add_format({"num_format": "dd.mm.yyyy" if language == "ru" else "yyyy-mm-dd"})
        self._time = self._book.add_format({"num_format": "hh:mm"})
        self._money = self._book.add_format({"num_format": "#,##0.00"})
        self._rows = 1
        bold = self._book.add_format({"bold": True})
        self._sheet.freeze_panes(1, 0)
        for column, (words, width) in enumerate(HEADS):
            self._sheet.set_column(column, column, width)
            self._sheet.write_string(0, column, words[language], bold)

    def add(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Write rows below those that are there."""
        for row in rows:
            for column, cell in enumerate(row):
                self._write(column, cell)
            self._rows += 1

    def _write(self, column: int, cell: Cell) -> None:
        row = self._rows
        if isinstance(cell, str):
            form = self._quoted if cell.startswith(FORMULA_BEGINNINGS) else self._text
            self._sheet.write_string(row, column, cell[:XLSX_CELL_CHARS_MAX], form)
        elif isinstance(cell, Decimal):
            self._sheet.write_number(row, column, float(cell), self._money)
        elif isinstance(cell, int):
            self._sheet.write_number(row, column, cell)
        elif isinstance(cell, time):
            self._sheet.write_number(row, column, (cell.hour * 60 + cell.minute) / DAY_MINUTES, self._time)
        elif cell is not None:
            self._sheet.write_datetime(row, column, datetime.combine(cell, time()), self._day)

    def close(self) -> None:
        """Finish the file."""
        self._book.close()
