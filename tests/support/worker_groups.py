"""Which tests go to one xdist worker: those of a file, or of a folder whose tests share a running system.

A system (broker, store and services) takes seconds to start. Folders with one come first: they take longest, and the
others fill what is left. Each worker has a broker and a ClickHouse of its own.
"""

import signal
from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

WITH_A_SYSTEM: Final = (
    "tests/e2e/pages",
    "tests/integration/console",
    "tests/integration/products",
    "tests/integration/scans",
)
"""Folders whose tests share a running system."""

_LONGEST_FIRST: Final = (*WITH_A_SYSTEM, "tests/e2e", "tests/integration", "tests/contract", "tests/unit")


def group_of(node_id: str) -> str:
    """Return the name of a test's group: a folder's path, or a file's."""
    return next((folder for folder in WITH_A_SYSTEM if _is_in(folder, node_id)), node_id.partition("::")[0])


def rank_of(node_id: str) -> int:
    """Return a number by which long groups come first."""
    return next((rank for rank, folder in enumerate(_LONGEST_FIRST) if _is_in(folder, node_id)), len(_LONGEST_FIRST))


def _is_in(folder: str, node_id: str) -> bool:
    return node_id.startswith(folder + "/")


class Groups(LoadScopeScheduling):
    """Gives each worker that has run its tests the next group."""

    def _split_scope(self, nodeid: str) -> str:  # the method that xdist means to be overridden
        return group_of(nodeid)


def pytest_configure(config: pytest.Config) -> None:
    """Let a worker's child processes be interrupted: xdist's workers ignore SIGINT, and children inherit that."""
    if hasattr(config, "workerinput"):
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Groups:
    return Groups(config, log)


@pytest.hookimpl(tryfirst=True)  # a random order comes after it
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put long groups first where there are workers."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: rank_of(item.nodeid))
