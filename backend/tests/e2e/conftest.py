"""What the browser tests share: one Chromium for a run, one running site for a file of tests."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.support.browser import WIDTHS, Site, chromium, running_site
from tests.support.database import TestServer, open_folder


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium. Every visitor has a profile of her own."""
    async with chromium() as started:
        yield started


@pytest.fixture(scope="module")
async def site(database_server: TestServer) -> AsyncIterator[Site]:
    """The running application on a database of its own."""
    with database_server.database() as dsn, open_folder() as folder:
        async with running_site(dsn, folder) as running:
            yield running


@pytest.fixture(params=WIDTHS, ids=lambda width: f"{width}px")
def width(request: pytest.FixtureRequest) -> int:
    """How wide the window is."""
    return request.param
