"""What a line of an import says. Pure: text in, people or problems out."""

import csv
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from zerkalo.kit.contact import canonical_email
from zerkalo.kit.phone import normalise_phone
from zerkalo.kit.text import storable_text

HEADER = ("email", "phone", "name", "unique_code")
NAME_CHARS_MAX = 200
FIELD_CHARS_MAX = 1000
_SEPARATORS = ",;\t"


@dataclass(frozen=True, slots=True)
class ImportedPerson:
    """A line that was understood. Contacts and code are canonical; None: the line leaves it empty."""

    line: int
    email: str | None
    phone: str | None
    name: str
    unique_code: str | None

    @property
    def phone10(self) -> str | None:
        """The last ten digits."""
        return self.phone[-10:] if self.phone is not None else None


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that can't be taken, and why. The text holds no contact: it may end up in a log."""

    line: int
    problem: str


def read_people(
    content: bytes, *, canonical_code: Callable[[str], str | None]
) -> tuple[list[ImportedPerson], list[BadLine]]:
    """The people of a CSV file and the lines that can't be taken, both by line number (the header is line 1).

    UTF-8 with or without a byte order mark, else Windows-1251 as Excel saves it in Russia. Separated by comma,
    semicolon or tab, whichever the header uses; its columns in any order and case, each at most once; unknown ones are
    an error, missing ones count as empty. Empty lines are passed over; an exact repetition of a person is taken once.
    """
    text = _decoded(content)
    header_line = text.split("\n", 1)[0]
    separator = max(_SEPARATORS, key=header_line.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    people: list[ImportedPerson] = []
    bad: list[BadLine] = []
    start = 1
    try:
        columns, problem = _columns(next(reader, list[str]()))
        if problem is not None:
            return [], [BadLine(1, problem)]
        start = reader.line_num + 1
        for fields in reader:
            found = _person(start, columns, fields, canonical_code)
            start = reader.line_num + 1
            if isinstance(found, BadLine):
                bad.append(found)
            elif found is not None:
                people.append(found)
    except csv.Error as error:
        # Not passed over: a quote that nothing closes would take all the lines behind it for one name.
        bad.append(BadLine(start, f"can't be read as CSV: {error}"))
    unique, doubled = _without_doubles(people)
    return unique, sorted([*bad, *doubled], key=lambda found: found.line)


def _decoded(content: bytes) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1251", errors="replace")
    return storable_text(text)


def _columns(header: list[str]) -> tuple[list[str], str | None]:
    columns = [name.strip().lower() for name in header]
    while columns and columns[-1] == "":
        columns.pop()
    unknown = sorted(set(columns) - set(HEADER))
    if not columns or unknown or len(set(columns)) < len(columns):
        return [], f"the header must name the columns {','.join(HEADER)}, each once"
    return columns, None


def _person(
    line: int, columns: list[str], fields: list[str], canonical_code: Callable[[str], str | None]
) -> ImportedPerson | BadLine | None:
    values = [field.strip() for field in fields]
    if not any(values):
        return None
    if any(values[len(columns) :]):
        return BadLine(line, "has more fields than the header")
    if any(len(value) > FIELD_CHARS_MAX for value in values):
        return BadLine(line, "has a field that is too long")
    row = dict.fromkeys(HEADER, "") | dict(zip(columns, values, strict=False))
    email = canonical_email(row["email"])
    if row["email"] and email is None:
        return BadLine(line, "email is no e-mail address")
    phone, tail = normalise_phone(row["phone"])
    if row["phone"] and (phone is None or tail is None):
        return BadLine(line, "phone is no phone number")
    code = canonical_code(row["unique_code"])
    if row["unique_code"] and code is None:
        return BadLine(line, "unique_code is not 4 to 20 letters and digits")
    if len(row["name"]) > NAME_CHARS_MAX:
        return BadLine(line, f"name is longer than {NAME_CHARS_MAX} characters")
    if email is None and phone is None and code is None:
        return BadLine(line, "names nobody: it needs an e-mail, a phone or a code")
    return ImportedPerson(line, email, phone, row["name"], code)


def _without_doubles(people: Iterable[ImportedPerson]) -> tuple[list[ImportedPerson], list[BadLine]]:
    """Each person once; lines that share an e-mail or a code with another line but differ from it are bad."""
    first_of: dict[tuple[str, str], ImportedPerson] = {}
    unique: list[ImportedPerson] = []
    bad: list[BadLine] = []
    for person in people:
        keys = [("email", person.email), ("unique_code", person.unique_code)]
        if person.email is None and person.unique_code is None:
            keys = [("phone", person.phone)]
        named = [(kind, value) for kind, value in keys if value is not None]
        earlier = next(((key[0], first_of[key]) for key in named if key in first_of), None)
        if earlier is None:
            first_of |= dict.fromkeys(named, person)
            unique.append(person)
        elif _content(earlier[1]) != _content(person):
            bad.append(BadLine(person.line, f"has the {earlier[0]} of line {earlier[1].line}"))
    return unique, bad


def _content(person: ImportedPerson) -> tuple[str | None, ...]:
    return (person.email, person.phone, person.name, person.unique_code)
