"""What is mutated, and the tests that have to notice it: fast ones, the same on each run."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Target:
    """modules, tests: paths from the repository's root.  left_out: of the tests, those that take too long for this."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    left_out: tuple[str, ...] = ()


TARGETS: Final = {
    "decide": Target(
        ("services/sink/decide.py",), ("tests/unit/sink/test_decide.py", "tests/unit/sink/test_decide_rows.py")
    ),
    "pagination": Target(("shared/registry/pagination.py",), ("tests/unit/registry/test_pagination.py",)),
    "dispatch": Target(("shared/pipeline/dispatch.py",), ("tests/unit/pipeline/test_dispatch.py",)),
    "budget": Target(
        (
            "shared/registry/sharing/allowance.py",
            "shared/registry/sharing/division.py",
            "shared/registry/sharing/ledger.py",
        ),
        (
            "tests/unit/registry/sharing/test_allowance.py",
            "tests/unit/registry/sharing/test_division.py",
            "tests/unit/registry/sharing/test_allowance_moments.py",
            "tests/unit/registry/sharing/test_history.py",
            "tests/unit/registry/sharing/test_ledger.py",
        ),
        (
            "tests/unit/registry/sharing/test_allowance.py"
            "::test_shares_of_a_registry_that_is_never_asked_are_not_remembered_for_ever",
        ),
    ),
}
