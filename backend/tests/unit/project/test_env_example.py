"""`.env.example` names every setting and agrees with the code."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.project import ROOT
from zerkalo.settings import SETTING_NAMES, Settings, load_settings

TEXT = (ROOT / ".env.example").read_text(encoding="utf-8")


@dataclass(frozen=True)
class Entry:
    """One setting as the file shows it."""

    name: str
    sentence: str
    unit: str
    default: str  # "none" where it has none
    is_active: bool  # not commented out
    value: str


ENTRIES = [
    Entry(match["name"], match["sentence"], match["unit"], match["default"], not match["off"], match["value"])
    for match in re.finditer(
        r"^# (?P<sentence>.+)\n# Unit: (?P<unit>.+)\. Default: (?P<default>\S+)\.\n"
        r"(?P<off># )?(?P<name>[A-Z_]+)=(?P<value>.*)$",
        TEXT,
        re.MULTILINE,
    )
]


def test_every_setting_is_there_once_and_in_the_order_of_the_code():
    assert [entry.name for entry in ENTRIES] == list(SETTING_NAMES)
    assert len(re.findall(r"^(?:# )?[A-Z_]+=", TEXT, re.MULTILINE)) == len(ENTRIES)


def test_the_file_as_it_stands_changes_nothing(tmp_path: Path):
    (tmp_path / ".env").write_text(TEXT, encoding="utf-8")
    plain = Settings(env_file=tmp_path / ".env", data_dir=tmp_path / "data")
    assert load_settings({}, tmp_path) == plain


def test_the_file_with_everything_switched_on_is_accepted(tmp_path: Path):
    (tmp_path / ".env").write_text(
        re.sub(r"^# (?!YCLIENTS_CA_FILE|SALON_LOGO)([A-Z_]+=)", r"\1", TEXT, flags=re.MULTILINE),
        encoding="utf-8",
    )
    settings = load_settings({}, tmp_path)
    assert settings.yclients_company_ids == (12345,)
    assert [tier.from_roubles for tier in settings.loyalty_tiers] == [20000, 50000]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_unit_default_and_sentence_are_those_of_the_code(entry: Entry):
    field = Settings.model_fields[SETTING_NAMES[entry.name]]
    has_default = field.default is not None and field.default != ()

    default = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
    assert entry.default == (default if has_default else "none")
    assert entry.is_active == has_default
    assert not has_default or entry.value == entry.default
    assert entry.sentence.endswith(".")
    bounds = {
        name: getattr(bound, name)
        for bound in field.metadata
        for name in ("ge", "le")
        if hasattr(bound, name)
    }
    if bounds:
        assert f", {bounds['ge']} to {bounds['le']}" in entry.unit
