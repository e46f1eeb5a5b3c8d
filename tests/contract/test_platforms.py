"""pyproject.toml, the tests of the locks and the README name the same machines."""

import pytest
from packaging.specifiers import SpecifierSet

from tests.support.platforms import MACHINES, PLATFORMS, PROJECT, PYTHONS, ROOT

PREFIX = "Operating System :: "


@pytest.mark.parametrize(
    ("version", "allowed"), [("3.10", False), *((each, True) for each in PYTHONS), ("3.15", False)]
)
def test_the_pythons_that_are_tested_are_those_that_are_allowed(version: str, allowed: bool) -> None:
    assert SpecifierSet(PROJECT["requires-python"]).contains(f"{version}.0") is allowed


def test_the_pythons_that_are_tested_follow_each_other() -> None:
    assert PYTHONS == ("3.11", "3.12", "3.13", "3.14")


def test_the_operating_systems_that_are_tested_are_those_that_are_named() -> None:
    named = {each.removeprefix(PREFIX) for each in PROJECT["classifiers"] if each.startswith(PREFIX)}
    assert named == PLATFORMS.keys()


def test_each_python_is_resolved_on_each_platform() -> None:
    assert len(set(MACHINES)) == len(PYTHONS) * 3


def test_the_readme_names_the_pythons() -> None:
    assert f"Python {PYTHONS[0]} to {PYTHONS[-1]}" in (ROOT / "README.md").read_text(encoding="utf-8")
