"""What `make mutants` checks is there: it runs seldom, and a name that has changed would be checked no more."""

import tomllib
from importlib import import_module
from operator import attrgetter
from pathlib import Path

import pytest

from tests.mutants.targets import TARGETS

_EXPLAINED = tomllib.loads(Path("tests/mutants/explained.toml").read_text())["mutant"]


@pytest.mark.parametrize("name", TARGETS)
def test_the_modules_and_tests_of_a_target_exist(name: str) -> None:
    target = TARGETS[name]
    for path in (*target.modules, *target.tests):
        assert Path(path).is_file(), path
    for test in target.left_out:
        path, _, function = test.partition("::")
        assert f"def {function}(" in Path(path).read_text(), test


def test_each_mutant_that_is_explained_is_of_a_function_of_a_target_and_has_a_reason() -> None:
    modules = {path.removesuffix(".py").replace("/", ".") for target in TARGETS.values() for path in target.modules}
    for mutant in _EXPLAINED:
        assert mutant.keys() == {"function", "changes", "why"}
        module = next(module for module in modules if mutant["function"].startswith(f"{module}."))
        assert callable(attrgetter(mutant["function"].removeprefix(f"{module}."))(import_module(module)))
        assert mutant["why"].endswith(".")
