"""What a salon reads is there in Russian, and says there what it says in English: a page, its headings, rows and code."""

import re
from pathlib import Path

import pytest

import reference
from reference import DOCS, ROOT

FOR_ENGINEERS = {
    "architecture.md",
    "decisions/index.md",
    "glossary.md",
    "performance.md",
    "scale.md",
}
"""Pages in English only, beside the decisions themselves."""
PAIRS = [
    (page, page.with_name(page.name.replace(".ru.", ".")))
    for page in (ROOT / "README.ru.md", *sorted(DOCS.rglob("*.ru.md")))
]
in_both = pytest.mark.parametrize(("russian", "english"), PAIRS, ids=lambda page: page.name)


def _read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _prose(page: Path) -> str:
    """The page without its blocks of code, in which `#` begins no heading."""
    return re.sub(r"```.*?```", "", _read(page), flags=re.DOTALL)


def test_every_page_but_the_engineers_is_there_in_russian():
    in_english = {str(page.relative_to(DOCS)) for page in reference.texts()}
    russian = {str(page.relative_to(DOCS)) for _, page in PAIRS if DOCS in page.parents}
    assert {page for page in in_english - russian if not page.startswith("decisions/0")} == FOR_ENGINEERS


def test_the_russian_index_says_which_pages_are_in_english():
    (told,) = re.findall(r"По-английски остаются.+", _read(DOCS / "index.ru.md"), re.DOTALL)
    assert set(re.findall(r"\]\((.+?)\)", told)) == FOR_ENGINEERS


@in_both
def test_headings_are_the_same_in_number_and_level(russian: Path, english: Path):
    levels = [re.findall(r"^(#+) ", _prose(page), re.MULTILINE) for page in (russian, english)]
    assert levels[0] == levels[1]


@in_both
def test_tables_have_the_same_rows_and_lists_the_same_items(russian: Path, english: Path):
    shapes = [
        [(part.count("\n|"), len(re.findall(r"^(?:- |\d+\. )", part, re.MULTILINE))) for part in parts]
        for parts in (re.split(r"^#+ ", _prose(page), flags=re.MULTILINE) for page in (russian, english))
    ]
    assert shapes[0] == shapes[1]


@in_both
def test_blocks_of_code_are_the_same_but_for_their_comments(russian: Path, english: Path):
    """So that what a test runs of the page in English is run of both."""
    assert _code(russian) == _code(english)


def _code(page: Path) -> list[tuple[str, str]]:
    """(language, code) of each block, without what is said to its reader only: a shell's comments, `--lang en`."""
    blocks = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", _read(page), re.DOTALL | re.MULTILINE)
    told = re.compile(r"[ \t]*(?<!\S)#.*| --lang en\b")
    return [
        (language, told.sub("", code) if language in {"", "bash", "ini", "toml"} else code)
        for language, code in blocks
    ]


@pytest.mark.parametrize("russian", [page for page, _ in PAIRS], ids=lambda page: page.name)
def test_a_russian_page_leads_to_russian_pages(russian: Path):
    in_english = {page for _, page in PAIRS}
    links = re.findall(r"(?<!In English)\]\(([^)#\s:]+\.md)", _read(russian))
    assert [link for link in links if (russian.parent / link).resolve() in in_english] == []


@in_both
def test_the_same_tests_are_named(russian: Path, english: Path):
    named = [re.findall(r"`(test_\w+)`", _read(page)) for page in (russian, english)]
    assert named[0] == named[1]


def test_every_text_of_the_reference_has_its_russian_and_none_is_left_over():
    """A text is found by its English: where that was changed, the Russian has to be looked at again."""
    russian = reference.Russian()
    reference.pages(russian)
    assert (russian.missing, sorted(russian.texts.keys() - russian.asked)) == ([], [])


def test_no_text_of_the_reference_is_translated_twice():
    texts = [one["en"] for one in reference.TEXTS["text"]]
    assert len(texts) == len(set(texts))


def test_every_command_has_an_example_and_it_is_that_command():
    examples = reference.TEXTS["examples"]
    assert list(examples) == [command.words for command in reference.COMMANDS]
    assert [words for words, text in examples.items() if not text.startswith(f"zerkalo {words}")] == []
