"""The files around the code say what is true: workflows call targets that exist, a release takes its own section."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.project import BACKEND, ROOT, tracked_files

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
FORMS = sorted([*(ROOT / ".github").rglob("*.yml"), ROOT / ".pre-commit-config.yaml", ROOT / "CITATION.cff"])


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_a_form_can_be_read(form: Path):
    assert isinstance(yaml.safe_load(form.read_text("utf-8")), dict)


def _steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text("utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_a_workflow_calls_targets_that_exist_and_has_no_more_rights_than_it_names(workflow: Path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = {name for step in _steps(workflow) for name in re.findall(r"make ([a-z]+)", step.get("run", ""))}

    assert called <= targets
    assert "permissions" in yaml.safe_load(workflow.read_text("utf-8"))
    assert "pull_request_target" not in workflow.read_text("utf-8")


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_what_runs_others_code_holds_no_right_to_write_and_every_action_is_the_one_that_was_read(
    workflow: Path,
):
    whole = yaml.safe_load(workflow.read_text("utf-8"))
    assert all(
        re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", one["uses"]) for one in _steps(workflow) if "uses" in one
    )
    for job in whole["jobs"].values():
        may_write = "write" in job.get("permissions", whole["permissions"]).values()
        assert not (may_write and any("make " in step.get("run", "") for step in job["steps"]))
        assert "GH_TOKEN" not in job.get("env", {}), "only the step that needs it"


def test_the_notes_of_a_release_are_its_section_of_the_changelog(tmp_path: Path):
    (tmp_path / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [Unreleased]\n\n- later\n\n## [1.2.3] - 2026-01-01\n\n- now\n\n## [1.2.2]\n\n- before\n"
    )
    step = next(one for one in _steps(ROOT / ".github/workflows/release.yml") if "awk" in one.get("run", ""))
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "pyproject.toml").write_text('version = "1.2.3"\n')

    def run(tag: str) -> int:
        words = ["bash", "-e", "-c", step["run"]]
        return subprocess.run(
            words, cwd=tmp_path, env={"TAG": tag, "PATH": "/usr/bin:/bin"}, check=False
        ).returncode

    assert run("v1.2.3") == 0
    assert (tmp_path / "notes.md").read_text().split() == ["-", "now"]
    assert run("v1.2.4") != 0, "a tag that is not the version releases nothing"


def test_the_hooks_of_a_commit_name_programs_that_the_set_up_brings():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    entries = [hook["entry"].split()[0] for hook in repository["hooks"]]

    assert all((ROOT / entry).exists() or entry == "cmp" for entry in entries)


def test_the_citation_has_the_version():
    (version,) = re.findall(r'^version = "(.+)"$', (BACKEND / "pyproject.toml").read_text(), re.MULTILINE)
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == version


def test_the_first_change_of_contributing_begins_at_what_is_there():
    """The names that it goes by are in the rule and in the table of cases, and what it adds is in no commit yet.

    Whoever makes the change runs this before they commit it, so what is written but not committed counts for nothing.
    """
    rule, cases = (
        subprocess.run(
            ["git", "show", f"HEAD:{path}"], cwd=ROOT, check=True, capture_output=True, text=True
        ).stdout
        for path in ("backend/zerkalo/setting_names.py", "backend/tests/unit/settings/test_dotenv.py")
    )
    assert "EMAIL_HOST" in rule
    assert '("EMAIL_HOST=mail.salon.ru", "write SMTP_URL=' in cases
    assert "MAILGUN" not in rule + cases


def test_no_workflow_is_left_out():
    assert {path for path in tracked_files() if path.parent.name == "workflows"} == set(WORKFLOWS)
