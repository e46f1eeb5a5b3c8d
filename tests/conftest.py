"""Fixtures for all tests live in tests/support and are registered here."""

import anyio
from hypothesis import settings

# One that others import stands before them, or pytest cannot rewrite its asserts.
pytest_plugins = [
    "tests.support.seeds",
    "tests.support.virtual_time",
    "tests.support.registry",
    "tests.support.broker",
    "tests.support.clickhouse",
    "tests.support.store_rows",
    "tests.support.worker_groups",
    "tests.support.long_tests",
]

# anyio imports its parts when they are first asked for, and pytest, whose plugin it is, rewrites them then. Deep within
# a request Python 3.11 fails at that now and then ("AST constructor recursion depth mismatch"): so it is done here.
assert anyio.open_file

# An example's time says more about what else the machine does than about our code.
settings.register_profile("tallyman", deadline=None, max_examples=50)
settings.register_profile("long", deadline=None, max_examples=1000)  # of `make test-long`
settings.load_profile("tallyman")
