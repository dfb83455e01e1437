"""The files of the containers, read as text: no container engine is needed, and none is run."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.project import ROOT
from zerkalo.cli.main import COMMANDS
from zerkalo.settings import SETTING_NAMES

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
DEMO: dict[str, Any] = yaml.safe_load((ROOT / "compose.demo.yaml").read_text("utf-8"))
OURS = [service for file in (COMPOSE, DEMO) for service in file["services"].values() if service.get("build")]


def test_the_image_is_no_roots_and_its_first_process_hands_signals_on():
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert re.search(r"^USER \d+$", last, re.MULTILINE)
    assert 'ENTRYPOINT ["tini", "--", "zerkalo"]' in last
    assert 'CMD ["zerkalo", "ready"]' in last


def test_what_is_copied_exists_and_is_let_through():
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")
    }
    copied = {
        word
        for line in re.sub(r"\\\n", " ", DOCKERFILE).splitlines()
        if line.startswith("COPY backend/")
        for word in line.split()[1:-1]
    }
    assert copied == let_through
    assert all((ROOT / path).exists() for path in copied)


def test_every_script_of_the_pages_is_brought():
    vendor = Path("zerkalo/web/static/vendor")
    named = set(re.findall(r"dist/([\w.-]+\.(?:js|css))", DOCKERFILE))
    setup = (ROOT / "backend" / "setup.sh").read_text("utf-8")
    assert named == set(re.findall(r"dist/([\w.-]+\.(?:js|css))", setup))
    assert f"{vendor}/" in DOCKERFILE


def test_packages_are_installed_by_their_hashes_only():
    installs = re.findall(r"pip install [^&\n]*", re.sub(r"\\\n", " ", DOCKERFILE))
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-index" in install for install in installs)


@pytest.mark.parametrize("service", OURS, ids=lambda service: " ".join(service["command"]))
def test_a_service_of_ours_runs_a_command_that_there_is(service: dict[str, Any]):
    assert service["command"][0] in {command.words for command in COMMANDS}
    assert set(service.get("environment", {})) <= set(SETTING_NAMES)


def test_nothing_of_ours_starts_on_old_tables_and_both_servers_are_healthy_before_the_proxy():
    services = COMPOSE["services"]
    assert services["database"]["image"] == "postgres:18"
    assert services["migrate"]["depends_on"] == {"database": {"condition": "service_healthy"}}
    for name in ("server-1", "server-2", "worker"):
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert set(services["caddy"]["depends_on"]) == {"server-1", "server-2"}


def test_no_secret_has_a_default():
    text = (ROOT / "compose.yaml").read_text("utf-8")
    assert re.findall(r"\$\{(?:POSTGRES_PASSWORD|SECRET_KEY)(?!:\?)", text) == []
