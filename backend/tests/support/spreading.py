"""How tests are spread over the processes of pytest-xdist, with `--dist loadgroup`.

Tests that share something costly (a million bookings, a running site) stay in one process, or it would be made in each;
all others go wherever there is room. What takes long begins early, so that no process waits for it in the end.
"""

import pytest

SHARED = {"million": "million"}
"""Fixture that is costly enough to be made once in the whole run -> the name of its group."""


def group_of(scopes: dict[str, str], module: str) -> str | None:
    """The group of a test by its fixtures (name -> scope) and the file that it is in; None: it may go anywhere."""
    for fixture, group in SHARED.items():
        if fixture in scopes:
            return group
    return module if "module" in scopes.values() else None


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Names the groups; orders nothing in a run of one process."""
    if not config.getoption("loadgroup", default=False):
        return
    for item in items:
        definitions = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009  pytest has no public way to ask
        scopes = {name: found[-1].scope for name, found in definitions.items() if found}
        group = group_of(scopes, item.nodeid.split("::")[0])
        if group is not None:
            item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
