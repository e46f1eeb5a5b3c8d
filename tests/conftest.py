"""Fixtures for all tests live in tests/support and are registered here."""

from hypothesis import settings

pytest_plugins = [
    "tests.support.broker",
    "tests.support.clickhouse",
    "tests.support.registry",
]

# An example's time says more about what else the machine does than about our code.
settings.register_profile("tallyman", deadline=None)
settings.load_profile("tallyman")
