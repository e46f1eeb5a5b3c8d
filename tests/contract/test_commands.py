"""The Makefile does what the README promises."""

import importlib.util
import os
import re
import subprocess

import pytest

from tests.contract.source_tree import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
HELPED = dict(re.findall(r"^([a-z-]+):.*?  ## (.+)$", MAKEFILE, re.MULTILINE))


def _make(*words: str) -> str:
    """Return what make prints, or would run with -n."""
    command = ["make", "--no-print-directory", *words]
    clean = {"PATH": os.environ["PATH"]}  # not the flags and variables of a make that runs these tests
    return subprocess.run(command, cwd=ROOT, env=clean, check=True, capture_output=True, text=True).stdout


def test_help_lists_every_command_with_what_it_does() -> None:
    printed = _make("help")
    assert [name for name, told in HELPED.items() if f"make {name} " not in printed or told not in printed] == []


def test_every_command_has_help() -> None:
    assert set(re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE)) == HELPED.keys()


def test_the_commands_that_people_know_are_there() -> None:
    assert HELPED.keys() >= {"run", "setup", "test", "check", "bench", "up", "down", "lock", "clean", "help"}


@pytest.mark.parametrize(
    ("words", "arguments"),
    [
        ((), "--data 'data' --load 'sample'"),
        (("ONCE=1",), "--data 'data' --load 'sample' --once"),
        (("REGISTRY=https://registry.example.com",), "--data 'data' --load 'https://registry.example.com'"),
        (("DATA=/tmp/elsewhere",), "--data '/tmp/elsewhere' --load 'sample'"),
    ],
)
def test_run_passes_on_what_it_was_given(words: tuple[str, ...], arguments: str) -> None:
    assert f"tallyman run {arguments}" in " ".join(_make("-n", "run", *words).split())


def test_the_test_command_sets_itself_up_and_asks_for_missing_parts_first() -> None:
    planned = _make("-n", "test")
    assert planned.index("tests.support.prerequisites") < planned.index("-m pytest")


def test_every_module_that_a_command_starts_is_there() -> None:
    started = set(re.findall(r"/python -m ([\w.]+)", MAKEFILE))
    assert [name for name in sorted(started) if not importlib.util.find_spec(name)] == []


def test_continuous_integration_runs_the_commands_of_the_readme_and_installs_nothing_itself() -> None:
    script = (ROOT / ".ci/run").read_text(encoding="utf-8")
    assert re.findall(r"^for command in (.+); do$", script, re.MULTILINE) == ["lint test test-long"]
    assert re.findall(r"^ *make (.+)$", script, re.MULTILINE) == ['--no-print-directory "${command}"']
    assert re.findall(r"\b(?:apt|pip|npm)\b", script) == []
