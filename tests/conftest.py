"""Fixtures for all tests live in tests/support and are registered here."""

from hypothesis import settings

# One that others import stands before them, or pytest cannot rewrite its asserts.
pytest_plugins = [
    "tests.support.registry",
    "tests.support.broker",
    "tests.support.clickhouse",
    "tests.support.store_rows",
]

# An example's time says more about what else the machine does than about our code.
settings.register_profile("tallyman", deadline=None)
settings.load_profile("tallyman")
