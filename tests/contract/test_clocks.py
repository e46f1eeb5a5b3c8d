"""No wall clock decides what a registry gets: nothing of its client reads one."""

import ast
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SOURCES = sorted((_ROOT / "shared/registry").rglob("*.py"))
_WALL = {("time", "time"), ("time", "time_ns"), ("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today")}


def _read(source: Path) -> set[tuple[str, str]]:
    nodes = [node for node in ast.walk(ast.parse(source.read_text())) if isinstance(node, ast.Attribute)]
    return {(node.value.id, node.attr) for node in nodes if isinstance(node.value, ast.Name)}


@pytest.mark.parametrize("source", _SOURCES, ids=lambda source: str(source.relative_to(_ROOT)))
def test_the_registry_client_reads_no_wall_clock(source: Path) -> None:
    assert not _read(source) & _WALL


def test_the_check_sees_one(tmp_path: Path) -> None:
    source = tmp_path / "late.py"
    source.write_text("import time\n\nLATE = time.time()\n")
    assert _read(source) & _WALL
