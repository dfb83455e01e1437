"""`make audit`: a hole fails it, and what was not looked at is never taken for sound."""

from audit import verdict

HOLE = {"name": "old", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
SOUND = {"name": "sound", "version": "2.0", "vulns": []}
SKIPPED = {"name": "unknown", "skip_reason": "Dependency not found on PyPI: unknown (3.0)"}


def test_a_known_hole_fails_the_audit_and_names_the_version_that_mends_it():
    code, lines = verdict([SOUND, HOLE])

    assert code == 1
    assert lines[0] == "old 1.0: CVE-1, mended in 1.1"


def test_what_was_not_looked_at_is_listed_and_not_counted_as_audited():
    code, lines = verdict([SOUND, SKIPPED])

    assert code == 0
    assert "not audited: Dependency not found on PyPI: unknown (3.0)" in lines
    assert lines[-1] == "1 of 2 audited, 0 known holes"


def test_without_a_way_out_the_checks_go_on():
    assert verdict(None) == (0, ["not audited: the data about known holes can't be reached"])
