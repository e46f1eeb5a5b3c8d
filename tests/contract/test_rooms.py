"""The rooms of the house: which way imports point, what each stage's folder holds, what shared/ is not."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.source_tree import CODE, ROOT, STAGES, imported_modules, python_files, syntax_tree, tracked_files

DRAWERS = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "managers", "misc"}
SHARED_PACKAGES = sorted(path.name for path in (ROOT / "shared").iterdir() if (path / "__init__.py").is_file())


def test_imports_point_down() -> None:
    lint_imports = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint_imports, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_is_a_drawer() -> None:
    drawers = [
        str(path)
        for path in tracked_files()
        if path.suffix == ".py" and DRAWERS & {word for part in path.with_suffix("").parts for word in part.split("_")}
    ]
    assert drawers == [], "name a module for what it holds"


@pytest.mark.parametrize("package", SHARED_PACKAGES)
def test_a_shared_package_has_at_least_two_users(package: str) -> None:
    users = {
        ".".join(path.parts[: 2 if path.parts[0] == "services" else 1])
        for path in python_files("services", "tallyman")
        if any(name.split(".")[:2] == ["shared", package] for name in imported_modules(path))
    }
    assert len(users) >= 2, f"shared.{package} is used by {users or 'nobody'}; move it to its user"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_the_same_doors_as_the_others(stage: str) -> None:
    folder = Path("services") / stage
    assert {folder / name for name in ("__init__.py", "__main__.py", "stage.py")} <= set(tracked_files())
    told = (ast.get_docstring(syntax_tree(folder / "__init__.py")) or "").lower()
    assert [word for word in ("consumes", "does", "produces", "keyed by") if word not in told] == []


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_started_alone_can_be_watched(stage: str) -> None:
    imported = set(imported_modules(Path("services") / stage / "__main__.py"))
    assert "shared.observability.observed.observed" in imported


def test_the_environment_is_read_in_one_place() -> None:
    reads = [
        f"{path}:{line}"
        for path in python_files(*CODE)
        if path.parts[:2] != ("shared", "settings")
        for line in _environment_reads(syntax_tree(path))
    ]
    assert reads == [], "make it a field of shared.settings.Settings"


def _environment_reads(tree: ast.Module) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id="os"), attr="environ" | "environb" | "getenv"):
                yield node.lineno
            case ast.ImportFrom(module="os", names=names) if {"environ", "getenv"} & {each.name for each in names}:
                yield node.lineno
            case ast.keyword(arg="envvar"):
                yield node.lineno


def test_every_module_says_what_it_holds() -> None:
    silent = [
        str(path)
        for path in python_files(*CODE, "tests")
        if (ROOT / path).stat().st_size and not ast.get_docstring(syntax_tree(path))
    ]
    assert silent == []
