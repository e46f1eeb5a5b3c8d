"""Tests that are marked `long` run in `make test-long` alone, and may take longer than others."""

from typing import Final

import pytest

_SECONDS: Final = 900


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give a long test its time, unless it names its own."""
    for item in items:
        if item.get_closest_marker("long") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_SECONDS))
