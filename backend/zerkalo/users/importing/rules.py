"""What a line of an import says. Pure: text in, people or problems out."""

import codecs
import csv
import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from zerkalo.kit.contact import canonical_email
from zerkalo.kit.phone import normalise_phone
from zerkalo.kit.text import storable_text

HEADER = ("email", "phone", "name", "unique_code", "password_hash")
NAME_CHARS_MAX = 200
FIELD_CHARS_MAX = 1000
UTF16_UNMARKED = "is UTF-16 without a byte order mark; save the file as UTF-8"
HEAD_BYTES = 200
"""So much of a table's beginning tells UTF-16 from an encoding of single bytes."""
_SEPARATORS = ",;\t"
_NAMED_SEPARATOR = re.compile(r'"?sep=([,;|\t]|\\t|)"?', re.IGNORECASE)
"""The line in which Excel names the separator; a tab at its end is stripped."""


@dataclass(frozen=True, slots=True)
class ImportedPerson:
    """A line that was understood. Contacts and code are canonical; None: the line leaves it empty."""

    line: int
    email: str | None
    phone: str | None
    name: str
    unique_code: str | None
    password_hash: str | None = None
    """Of another program; checked to be one that log-in supports."""

    @property
    def phone10(self) -> str | None:
        """The last ten digits."""
        return self.phone[-10:] if self.phone is not None else None


@dataclass(frozen=True, slots=True)
class Known:
    """The existing users whom a line names."""

    line: int
    by_code: list[int]
    by_email: list[int]
    by_phone: list[int]
    is_code_retired: bool
    """Whether the code belonged to an erased person."""


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that can't be imported, and why. The text holds no contact: it may end up in a log."""

    line: int
    problem: str


def read_people(
    content: bytes,
    *,
    canonical_code: Callable[[str], str | None],
    is_usable_hash: Callable[[str], bool] = lambda _hash: False,
) -> tuple[list[ImportedPerson], list[BadLine]]:
    """The people of a CSV file and the lines that can't be imported, both by line number (the header is line 1).

    UTF-8 or UTF-16 with a byte order mark, UTF-8 without, else Windows-1251 as Excel saves it in Russia. Separated by
    comma, semicolon or tab, as a first line `sep=;` says, else by whichever the header uses. The columns may have any order
    and case, each at most once; unknown ones are ignored (`other_columns`), missing ones count as empty. Empty lines are
    ignored; an exact repetition of a person counts once.
    """
    text = _decoded(content)
    if text is None:
        return [], [BadLine(1, UTF16_UNMARKED)]
    separator, lines_before, text = _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    people: list[ImportedPerson] = []
    bad: list[BadLine] = []
    start = lines_before + 1
    try:
        columns, problem = _columns(next(reader, list[str]()))
        if problem is not None:
            return [], [BadLine(start, problem)]
        start = lines_before + reader.line_num + 1
        for fields in reader:
            found = _person(start, columns, fields, canonical_code, is_usable_hash)
            start = lines_before + reader.line_num + 1
            if isinstance(found, BadLine):
                bad.append(found)
            elif found is not None:
                people.append(found)
    except csv.Error as error:
        # An error, not ignored: an unclosed quote would turn all following lines into one name.
        bad.append(BadLine(start, f"can't be read as CSV: {error}"))
    unique, doubled = _without_doubles(people)
    return unique, sorted([*bad, *doubled], key=lambda found: found.line)


def other_columns(content: bytes) -> list[str]:
    """The columns of the header that an import ignores, as they are written there."""
    text = _decoded(content)
    if text is None:
        return []
    separator, _, text = _separator(text)
    header = next(csv.reader(io.StringIO(text, newline=""), delimiter=separator), list[str]())
    return [name.strip() for name in header if name.strip() and name.strip().lower() not in HEADER]


def _decoded(content: bytes) -> str | None:
    """The decoded text; None for UTF-16 without a byte order mark."""
    encoding = encoding_of([content])
    return None if encoding is None else storable_text(content.decode(encoding, errors="replace"))


def encoding_of(chunks: Iterable[bytes]) -> str | None:
    """The encoding of a table that a person has saved, from its bytes; None for UTF-16 without a byte order mark.

    UTF-16 with one, else UTF-8, else Windows-1251 as Excel saves it in Russia.
    """
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    is_first = True
    try:
        for chunk in chunks:
            if is_first:
                if chunk.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                    return "utf-16"
                head = chunk[:HEAD_BYTES]
                if head.count(0) > len(head) // 4:
                    return None
                is_first = False
            decoder.decode(chunk)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return "cp1251"
    return "utf-8-sig"


def separator_of(first_line: str) -> tuple[str, bool]:
    """The separator of a table, and whether its first line only names it, as Excel's `sep=;` does."""
    named = _NAMED_SEPARATOR.fullmatch(first_line.strip())
    if named:
        return named[1].replace("\\t", "\t") or "\t", True
    return max(_SEPARATORS, key=first_line.count), False


def _separator(text: str) -> tuple[str, int, str]:
    """(separator, lines before the header, the text from the header on)."""
    first, _, rest = text.partition("\n")
    separator, is_named = separator_of(first)
    return (separator, 1, rest) if is_named else (separator, 0, text)


def _columns(header: list[str]) -> tuple[list[str], str | None]:
    columns = [name.strip().lower() for name in header]
    while columns and columns[-1] == "":
        columns.pop()
    ours = [name for name in columns if name in HEADER]
    if not ours or len(set(ours)) < len(ours):
        return [], f"the header must name columns of {','.join(HEADER)}, each at most once"
    return columns, None


def _person(
    line: int,
    columns: list[str],
    fields: list[str],
    canonical_code: Callable[[str], str | None],
    is_usable_hash: Callable[[str], bool],
) -> ImportedPerson | BadLine | None:
    values = [field.strip() for field in fields]
    if not any(value for name, value in zip(columns, values, strict=False) if name in HEADER) and not any(
        values[len(columns) :]
    ):
        return None
    if any(values[len(columns) :]):
        return BadLine(line, "has more fields than the header")
    row = dict.fromkeys(HEADER, "") | {
        name: value for name, value in zip(columns, values, strict=False) if name in HEADER
    }
    if any(len(value) > FIELD_CHARS_MAX for value in row.values()):
        return BadLine(line, "has a field that is too long")
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
    password_hash = row["password_hash"] or None
    if password_hash is not None and not is_usable_hash(password_hash):
        return BadLine(line, "password_hash is no argon2 or bcrypt hash of a bearable cost")
    return ImportedPerson(line, email, phone, row["name"], code, password_hash)


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
    return (person.email, person.phone, person.name, person.unique_code, person.password_hash)
