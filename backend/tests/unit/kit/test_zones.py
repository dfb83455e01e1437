"""A zone's rules: equal where every instant has the same offset, whatever the zone is called."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import tzdata

from tests.support.zone_files import zones_from
from zerkalo.kit import zones
from zerkalo.kit.zones import data_version, packaged_rules, rules_of


def test_two_names_of_one_zone_have_one_fingerprint():
    assert rules_of(ZoneInfo("Asia/Kolkata")).fingerprint == rules_of(ZoneInfo("Asia/Calcutta")).fingerprint
    assert rules_of(ZoneInfo("Asia/Almaty")).fingerprint != rules_of(ZoneInfo("Europe/Moscow")).fingerprint


def test_other_rules_of_the_same_name_have_another_fingerprint(tmp_path: Path):
    now = rules_of(ZoneInfo("Asia/Almaty"))

    with zones_from(tmp_path, {"Asia/Almaty": timedelta(hours=6)}, version="2023c"):
        before = rules_of(ZoneInfo("Asia/Almaty"))

    assert before.fingerprint != now.fingerprint
    assert before.version == "2023c"
    assert rules_of(ZoneInfo("Asia/Almaty")) == now


def test_changes_are_found_to_the_second():
    changes = dict(zones._offsets(ZoneInfo("Europe/Berlin")))

    assert changes[datetime(2026, 3, 29, 1, tzinfo=UTC)] == timedelta(hours=2)
    assert changes[datetime(2026, 10, 25, 1, tzinfo=UTC)] == timedelta(hours=1)


def test_version_is_that_of_the_folder_that_has_the_zone(tmp_path: Path):
    (tmp_path / "silent/Asia").mkdir(parents=True)
    (tmp_path / "silent/Asia/Almaty").touch()
    (tmp_path / "other/Europe").mkdir(parents=True)
    (tmp_path / "other/Europe/Moscow").touch()
    (tmp_path / "other/+VERSION").write_text("2024a\n")
    paths = [str(tmp_path / "silent"), str(tmp_path / "other")]

    assert data_version("Asia/Almaty", paths) == ""
    assert data_version("Europe/Moscow", paths) == "2024a"
    assert data_version("Europe/Berlin", paths) == tzdata.IANA_VERSION


@pytest.mark.parametrize("key", ["Asia/Almaty", "UTC", "America/Argentina/Buenos_Aires"])
def test_package_says_what_it_knows_whatever_the_system_says(key: str, tmp_path: Path):
    with zones_from(tmp_path, {key: timedelta(hours=6)}, version="2023c"):
        ours, packaged = rules_of(ZoneInfo(key)), packaged_rules(key)

    assert packaged is not None
    assert packaged.version == tzdata.IANA_VERSION
    assert packaged.fingerprint != ours.fingerprint


@pytest.mark.parametrize("key", ["Europe/Nowhere", "Nowhere", "../secrets", "Europe"])
def test_package_does_not_know_every_name(key: str):
    assert packaged_rules(key) is None
