"""What a line of an import says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerkalo.codes.rules import canonical_code
from zerkalo.users.importing.rules import BadLine, ImportedPerson, other_columns, read_people

HEADER = "email,phone,name,unique_code\n"


def read(text: str | bytes) -> tuple[list[ImportedPerson], list[BadLine]]:
    content = text.encode() if isinstance(text, str) else text
    return read_people(content, canonical_code=canonical_code)


def test_every_column_may_be_empty_and_contacts_become_canonical() -> None:
    people, bad = read(
        HEADER
        + " Anna@Example.COM ,8 (999) 123-45-67,Анна,abc12345\n"
        + ",+7 999 765 43 21,,\n"
        + "only@example.com,,,\n"
        + ",,Ольга,XYZ98765\n"
    )

    assert bad == []
    assert people == [
        ImportedPerson(2, "anna@example.com", "+79991234567", "Анна", "ABC12345"),
        ImportedPerson(3, None, "+79997654321", "", None),
        ImportedPerson(4, "only@example.com", None, "", None),
        ImportedPerson(5, None, None, "Ольга", "XYZ98765"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffemail,phone,name,unique_code\na@example.com,,Анна,\n".encode(),
        "email;phone;name;unique_code\r\na@example.com;;Анна;\r\n".encode(),
        "Email\tName\na@example.com\tАнна\n".encode(),
        "email;phone;name;unique_code\r\na@example.com;;Анна;\r\n".encode("cp1251"),
        b'email,name\n"a@example.com","\xd0\x90\xd0\xbd\xd0\xbd\xd0\xb0"\n\n,\n',
        "\ufeffemail\tname\r\na@example.com\tАнна\r\n".encode("utf-16-le"),
        "birthday,email,name\n1990-01-01,a@example.com,Анна\n1990-01-01,,\n".encode(),
    ],
    ids=[
        "byte order mark",
        "semicolons",
        "tabs, two columns",
        "windows-1251",
        "quotes and empty lines",
        "utf-16",
        "a column of no use",
    ],
)
def test_the_forms_in_which_a_table_is_saved_read_the_same(content: bytes) -> None:
    people, bad = read(content)

    assert bad == []
    assert people == [ImportedPerson(2, "a@example.com", None, "Анна", None)]


@pytest.mark.parametrize("named", ["sep=;", '"sep=;"', "SEP=;"])
def test_the_line_by_which_excel_names_the_separator_is_no_header(named: str) -> None:
    people, bad = read(f"{named}\r\nemail;name\r\na@example.com;Анна, мастер\r\n;\r\nb;\r\n")

    assert people == [ImportedPerson(3, "a@example.com", None, "Анна, мастер", None)]
    assert [found.line for found in bad] == [5]


def test_utf16_without_a_byte_order_mark_is_refused_with_its_reason() -> None:
    assert read("email,name\na@example.com,Anna\n".encode("utf-16-le")) == (
        [],
        [BadLine(1, "is UTF-16 without a byte order mark; save the file as UTF-8")],
    )


def test_columns_of_no_use_are_named() -> None:
    assert other_columns(b"sep=;\nemail;Birthday;;name;City\n") == ["Birthday", "City"]


def test_what_a_spreadsheet_made_of_a_phone_is_read_back_or_refused() -> None:
    people, bad = read('phone,name\n9161234570.0,A\n"9,161234567E+09",B\n9.16123E+09,C\n')

    assert [person.phone for person in people] == ["+79161234570", "+79161234567"]
    assert [found.line for found in bad] == [4]


def test_another_programs_password_comes_along_where_it_can_be_used() -> None:
    people, bad = read_people(
        b"email,password_hash\na@example.com,$2b$12$fine\nb@example.com,md5\n",
        canonical_code=canonical_code,
        is_usable_hash=lambda text: text.startswith("$2b$"),
    )

    assert [person.password_hash for person in people] == ["$2b$12$fine"]
    assert [found.line for found in bad] == [3]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("anna,,,", "email"),
        (",123,,", "phone"),
        (",,,ABC", "unique_code"),
        (",,Анна,", "names nobody"),
        ("a@example.com,,Анна,,more", "more fields"),
        ("a@example.com,," + "я" * 201 + ",", "longer"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_without_its_content(line: str, problem: str) -> None:
    people, bad = read(HEADER + "good@example.com,,,\n" + line + "\n")

    assert [person.line for person in people] == [2]
    assert [found.line for found in bad] == [3]
    assert problem in bad[0].problem
    assert "anna" not in bad[0].problem


@pytest.mark.parametrize("header", ["", "mail,telephone", "email,email", "a@example.com,,,"])
def test_another_header_stops_the_import(header: str) -> None:
    people, bad = read(header + "\na@example.com,,,\n")

    assert people == []
    assert [found.line for found in bad] == [1]


def test_a_quote_that_nothing_closes_takes_nobody_along() -> None:
    people, bad = read(HEADER + 'a@example.com,,"Анна,\nb@example.com,,Борис,\n')

    assert people == []
    assert [found.line for found in bad] == [2]


def test_a_repeated_line_counts_once_and_a_contradiction_is_bad() -> None:
    people, bad = read(
        HEADER
        + "a@example.com,,Анна,\n"
        + "A@example.com,,Анна,\n"
        + "a@example.com,,Другая,\n"
        + "b@example.com,,,ABC12345\n"
        + "c@example.com,,,ABC12345\n"
    )

    assert [person.line for person in people] == [2, 5]
    assert [found.line for found in bad] == [4, 6]


def test_a_family_may_share_a_phone() -> None:
    people, bad = read(HEADER + "a@example.com,89991234567,,\nb@example.com,89991234567,,\n")

    assert bad == []
    assert len(people) == 2


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_file_is_read_or_refused(content: bytes) -> None:
    read(content)
    read(HEADER.encode() + content)
