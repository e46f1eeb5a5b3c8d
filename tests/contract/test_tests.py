"""Every test can fail, names the error it expects, and patches nothing of ours: what it replaces is passed in."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.contract.source_tree import python_files, syntax_tree

_OWN: Final = ("shared", "services", "tallyman", "benchmarks", "tests")
_ANY_ERROR: Final = ("Exception", "BaseException")
_PATCHES: Final = ("setattr", "delattr", "setitem", "delitem")
_CHECKS: Final = ("raises", "fail", "expect")
"""pytest's, and Playwright's `expect`; beside them whatever is called `assert_…`, which asserts itself."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


def faults_of(tree: ast.Module) -> Iterator[str]:
    """Yield a sentence for each fault of a file."""
    for node in ast.walk(tree):
        if isinstance(node, Function) and node.name.startswith(("test_", "assert_")) and not any(_checks(node)):
            yield f"line {node.lineno}: {node.name} asserts nothing that always runs"
        if isinstance(node, ast.Call) and _name(node) == "raises" and _names(node.args) & {*_ANY_ERROR}:
            yield f"line {node.lineno}: any error is expected"
    modules, own = _imported(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _name(node) in _PATCHES and ast.unparse(node.args[0]) not in modules:
            yield f"line {node.lineno}: {ast.unparse(node.args[0])} is patched"
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and ast.unparse(node.value) in own:
            yield f"line {node.lineno}: {ast.unparse(node)} is patched"


def _checks(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the assertions below a node, those left out that an error has to come before, or lets go."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Assert) or (isinstance(child, ast.Call) and _is_check(child)):
            yield child
        elif not isinstance(child, ast.ExceptHandler) and not (isinstance(child, ast.With) and _suppresses(child)):
            yield from _checks(child)


def _is_check(call: ast.Call) -> bool:
    return _name(call) in _CHECKS or _name(call).startswith("assert_")


def _suppresses(block: ast.With) -> bool:
    return any(
        isinstance(item.context_expr, ast.Call) and _name(item.context_expr) == "suppress" for item in block.items
    )


def _name(call: ast.Call) -> str:
    """Return the last name of what is called."""
    return ast.unparse(call.func).rpartition(".")[2]


def _names(nodes: list[ast.expr]) -> set[str]:
    return {each.id for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name)}


def _imported(tree: ast.Module) -> tuple[set[str], set[str]]:
    """Return the names of Python's own modules, and of everything of ours, that a file imports."""
    modules: set[str] = set()
    own: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.asname or alias.name for alias in node.names if alias.name in sys.stdlib_module_names}
            modules |= names
            own |= {alias.asname or alias.name for alias in node.names if alias.name.startswith(_OWN)}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(_OWN):
            own |= {alias.asname or alias.name for alias in node.names}
    return modules, own


@pytest.mark.parametrize("path", python_files("tests"), ids=str)
def test_a_test_can_fail_and_patches_nothing_of_ours(path: Path) -> None:
    assert list(faults_of(syntax_tree(path))) == []


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("def test_it(): call()", "asserts nothing"),
        ("async def test_it():\n  try: call()\n  except ValueError as error: assert error", "asserts nothing"),
        ("def test_it():\n  with suppress(ValueError): assert call()", "asserts nothing"),
        ("def assert_it(): call()", "asserts nothing"),
        ("def test_it():\n  with pytest.raises(Exception, match='no'): call()", "any error"),
        ("def test_it():\n  with pytest.raises((ValueError, BaseException)): call()", "any error"),
        ("monkeypatch.setattr('shared.store.now', later)", "'shared.store.now' is patched"),
        ("import shared.store\nmonkeypatch.setattr(shared.store, 'now', later)", "shared.store is patched"),
        ("from shared import store\nmonkeypatch.delattr(store.Store, 'now')", "store.Store is patched"),
        ("patched.setattr(publisher._producer, 'send', send)", "publisher._producer is patched"),
        ("from shared import store\nstore.now = later", "store.now is patched"),
        ("import shared.store\nshared.store.now = later", "shared.store.now is patched"),
    ],
)
def test_a_fault_is_seen(source: str, fault: str) -> None:
    (seen,) = faults_of(ast.parse(source))
    assert fault in seen


@pytest.mark.parametrize(
    "source",
    [
        "def test_it(): assert call()",
        "def test_it():\n  with pytest.raises(ValueError, match='no'): call()",
        "async def test_it(): await expect(page).to_have_url('/')",
        "def test_it(): assert_same(1, 2)",
        "import time\nmonkeypatch.setattr(time, 'time', later)",
        "now[0] = later\nself.now = later",
    ],
)
def test_no_fault_is_seen_where_there_is_none(source: str) -> None:
    assert list(faults_of(ast.parse(source))) == []
