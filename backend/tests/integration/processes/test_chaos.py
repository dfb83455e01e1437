"""The essential acts of `make chaos`, in the suite: see `tests/chaos`."""

import pytest

from tests.chaos.run import run, table

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(480)]


async def test_nothing_acknowledged_is_lost_whoever_dies() -> None:
    report = await run(0, seed=7)

    assert report.broken == [], table(report)
    assert {"kill -9 of a server", "PostgreSQL stopped hard", "SIGTERM under load"} <= {
        act.name for act in report.done
    }
    assert report.acknowledged > 50, "there was a load"
    assert report.whole.answers["503"] > 0, "and there were times when nothing could be taken in"
