"""Which tests stay together when several processes share them."""

import pytest

from tests.support.spreading import group_of


@pytest.mark.parametrize(
    ("scopes", "group"),
    [
        ({"dsn": "function", "database_server": "session"}, None),
        ({"million": "session", "asked": "function"}, "million"),
        ({"site": "module", "browser": "session"}, "tests/e2e/test_x.py"),
        ({"site": "module", "million": "session"}, "million"),
    ],
)
def test_what_shares_something_costly_stays_together(scopes: dict[str, str], group: str | None):
    assert group_of(scopes, "tests/e2e/test_x.py") == group
