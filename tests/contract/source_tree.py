"""What the contract tests look at: the files that git tracks, and what the code imports."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CODE: Final = ("shared", "services", "tallyman")
STAGES: Final = ("lister", "tagger", "manifester", "sink", "trigger")


@cache
def tracked_files() -> tuple[Path, ...]:
    """Return every tracked or addable file that is there, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return tuple(path for name in listed.split("\0") if name and (ROOT / (path := Path(name))).is_file())


def python_files(*tops: str) -> list[Path]:
    """Return the Python files below these top-level folders, relative to the root."""
    return [path for path in tracked_files() if path.suffix == ".py" and path.parts[0] in tops]


@cache
def syntax_tree(path: Path) -> ast.Module:
    """Return the parsed file."""
    return ast.parse((ROOT / path).read_text(encoding="utf-8"), filename=str(path))


def imported_modules(path: Path) -> Iterator[str]:
    """Yield the dotted name of each module, or name in a module, that a file imports."""
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
