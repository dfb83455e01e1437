"""docs/scale.md shows what the simulation of the plan prints."""

import pytest

from tests.benchmark import scale
from tests.support.project import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_the_plan_shows_what_its_command_prints():
    page = (ROOT / "docs" / "scale.md").read_text()

    assert "\n".join(scale.report(scale.SALONS)) in page
    assert f"python -m tests.benchmark.scale --salons {scale.SALONS}\n" in page
