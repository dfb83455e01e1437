"""Which rules of a zone a company's visits are read by."""

from datetime import UTC, datetime

import pytest

from zerkalo.companies.model import Company
from zerkalo.companies.rules import has_older_rules, reads_by_other_rules
from zerkalo.kit.zones import ZoneRules

ALMATY = "Asia/Almaty"


def company(rules: str | None, version: str | None) -> Company:
    return Company(
        id=1,
        title="",
        timezone_name=ALMATY,
        zone_rules=rules,
        zone_data_version=version,
        known_since=datetime(2026, 1, 1, tzinfo=UTC),
        last_run_started_at=None,
        last_complete_read_at=None,
        history_read_at=None,
        changes_read_until=None,
        problem=None,
    )


@pytest.mark.parametrize(
    ("known", "ours", "brings_in_line", "is_older"),
    [
        ((None, None), ("new", "2025b"), True, False),
        (("same", "2023c"), ("same", "2025b"), False, False),
        (("same", "2025b"), ("same", "2023c"), False, False),
        (("old", "2023c"), ("new", "2025b"), True, False),
        (("old", ""), ("new", "2025b"), True, False),
        (("new", "2025b"), ("old", "2023c"), False, True),
        (("new", "2025b"), ("old", ""), False, True),
        (("old", "2025b"), ("mended", "2025b"), True, False),
    ],
)
def test_newer_data_bring_the_visits_in_line_and_older_ones_change_nothing(
    known: tuple[str | None, str | None], ours: tuple[str, str], brings_in_line: bool, is_older: bool
):
    one, rules = company(*known), ZoneRules(*ours)

    assert reads_by_other_rules(one, ALMATY, rules) is brings_in_line
    assert has_older_rules(one, rules) is is_older


def test_another_zone_counts_whatever_the_versions():
    one = company("new", "2025b")

    assert reads_by_other_rules(one, "Asia/Tashkent", ZoneRules("old", ""))
