"""No wall clock decides what a registry gets, or how a unit test ends: nothing of either reads one."""

import ast
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SOURCES = sorted((_ROOT / "shared/registry").rglob("*.py"))
_UNIT_TESTS = sorted((_ROOT / "tests/unit").rglob("*.py"))
_WALL = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today")}

_MONOTONIC = {("time", "monotonic"), ("time", "monotonic_ns"), ("time", "perf_counter"), ("time", "perf_counter_ns")}


def _read(source: Path) -> set[tuple[str, str]]:
    nodes = [node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Attribute)]
    return {(node.value.id, node.attr) for node in nodes if isinstance(node.value, ast.Name)}


@pytest.mark.parametrize("source", _SOURCES, ids=lambda source: str(source.relative_to(_ROOT)))
def test_the_registry_client_reads_no_wall_clock(source: Path) -> None:
    assert not _read(source) & _WALL


def test_no_unit_test_reads_a_clock() -> None:
    """The event loop's time is virtual in them; every other clock is passed in."""
    assert [str(source) for source in _UNIT_TESTS if _read(source) & (_WALL | _MONOTONIC)] == []


def test_the_check_sees_one(tmp_path: Path) -> None:
    source = tmp_path / "late.py"
    source.write_text("import time\n\nLATE = time.time()\n")
    assert _read(source) & _WALL
