"""What stands in `packaging/`, read as text: `make units` and `make proxied` try it with the programs that it is for."""

import re
from pathlib import Path

import pytest

from tests.support.project import ROOT
from zerkalo.cli.main import COMMANDS

PACKAGING = ROOT / "packaging"
SERVICES = sorted((PACKAGING / "systemd").glob("*.service"))
TIMERS = sorted((PACKAGING / "systemd").glob("*.timer"))

of_services = pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)


def test_the_units_are_the_ones_meant():
    assert {unit.name for unit in (*SERVICES, *TIMERS)} == {
        *("zerkalo@.service", "zerkalo-worker.service"),
        *("zerkalo-check.service", "zerkalo-check.timer", "zerkalo-backup.service", "zerkalo-backup.timer"),
    }


@of_services
def test_a_unit_runs_a_command_that_there_is(unit: Path):
    called = re.findall(r"/opt/zerkalo/bin/zerkalo ([\w-]+)", unit.read_text("utf-8"))
    assert called
    assert set(called) <= {command.words for command in COMMANDS}


@of_services
def test_all_units_stand_in_the_same_sandbox(unit: Path):
    def sandbox(of: Path) -> str:
        _, _, rest = of.read_text("utf-8").partition("# The sandbox:")
        return rest.partition("[Install]")[0].strip()

    assert sandbox(unit)
    assert sandbox(unit) == sandbox(SERVICES[0])
    assert "User=zerkalo\n" in unit.read_text("utf-8")


@pytest.mark.parametrize("timer", TIMERS, ids=lambda timer: timer.name)
def test_a_timer_has_the_service_that_it_starts(timer: Path):
    assert timer.with_suffix(".service") in SERVICES
    assert "WantedBy=timers.target" in timer.read_text("utf-8")


def test_a_proxy_closes_idle_connections_before_the_server_does():
    """Else a request now and then meets a connection that the server is just closing."""
    from zerkalo.main import KEEP_ALIVE_SECONDS

    (nginx,) = re.findall(
        r"keepalive_timeout (\d+)s;", (PACKAGING / "nginx" / "zerkalo.conf").read_text("utf-8")
    )
    assert int(nginx) < KEEP_ALIVE_SECONDS
    assert "keepalive off" in (PACKAGING / "caddy" / "Caddyfile").read_text("utf-8"), "it keeps none"
