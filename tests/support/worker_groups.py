"""Which tests go to one xdist worker: those of a file, and those that share a running system, whatever their file.

A system (broker, store and services) takes seconds to start, so only one worker starts each. Groups with a system come
first: they are the longest, and the others fill what is left. Each worker has a broker and a ClickHouse of its own.
"""

from collections.abc import Iterable
from typing import Final

import pytest

SYSTEMS: Final = ("tallyman", "service", "with_sample", "console", "system", "loader")
"""The session's fixtures that each run a whole system."""

_FOLDERS: Final = ("tests/e2e", "tests/integration", "tests/contract", "tests/unit")


def group_of(node_id: str, fixtures: Iterable[str]) -> str:
    """Return the name of a test's group.  fixtures: the names of all that it uses."""
    file = node_id.partition("::")[0]
    return next((system for system in SYSTEMS if system in fixtures), file)


def rank_of(node_id: str, fixtures: Iterable[str]) -> int:
    """Return a number by which long groups come first."""
    if not set(SYSTEMS).isdisjoint(fixtures):
        return -1
    return next((rank for rank, folder in enumerate(_FOLDERS) if node_id.startswith(folder)), len(_FOLDERS))


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Name each test's group to xdist; without workers the order stays as it was."""
    if not hasattr(config, "workerinput"):
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item.nodeid, _fixtures(item))))
    items.sort(key=lambda item: rank_of(item.nodeid, _fixtures(item)))


def _fixtures(item: pytest.Item) -> tuple[str, ...]:
    return tuple(getattr(item, "fixturenames", ()))
