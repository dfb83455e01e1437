"""One running application for the attacks of a module: starting it costs more than most of them."""

from collections.abc import AsyncIterator

import pytest

from tests.support.application import Application, running_application
from tests.support.database import TestServer
from zerkalo.mirror.context import Limits


@pytest.fixture(scope="module")
async def application(
    database_server: TestServer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Application]:
    """The application with its secret set, on a database of its own; no worker, so that nothing moves by itself."""
    limits = Limits(wait_seconds_max=0.05)  # nobody waits for a worker that is not there
    with database_server.database() as address:
        async with running_application(address, tmp_path_factory.mktemp("data"), limits=limits) as running:
            yield running
