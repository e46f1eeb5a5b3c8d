"""One seed for everything random in a run: new each time, printed, and given again by `--seed` or the environment.

The seed reaches the workers of pytest-xdist with the other options. Hypothesis draws from it too.
"""

import os
import random
from random import Random
from typing import Final

import pytest

VARIABLE: Final = "TALLYMAN_TEST_SEED"
_LARGEST: Final = 999_999_999


def pytest_addoption(parser: pytest.Parser) -> None:
    given = os.environ.get(VARIABLE) or None
    parser.addoption(
        "--seed", type=int, default=given, help=f"of all random tests (or {VARIABLE}); without one a new seed is drawn"
    )


@pytest.hookimpl(tryfirst=True)  # before Hypothesis reads its own
def pytest_configure(config: pytest.Config) -> None:
    if config.option.seed is None:
        config.option.seed = random.SystemRandom().randint(0, _LARGEST)
    if config.option.hypothesis_seed is None:
        config.option.hypothesis_seed = config.option.seed


def pytest_report_header(config: pytest.Config) -> str:
    return _repeat(config)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    terminalreporter.write_line(_repeat(config))


def _repeat(config: pytest.Config) -> str:
    return f"random tests: --seed={config.option.seed} repeats them"


@pytest.fixture
def seeded(request: pytest.FixtureRequest) -> Random:
    """A generator of the test's own: the same for the same seed and test, in whatever order or worker it runs."""
    return Random(f"{request.config.option.seed} {request.node.nodeid}")
