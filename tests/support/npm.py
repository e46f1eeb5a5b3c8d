"""Files out of npm packages, fetched once into the cache folder."""

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import pytest

from tests.support.prerequisites import PARTS, told

_CACHE: Final = Path(__file__).parents[2] / ".cache"


def npm_file(package: str, version: str, path: str) -> Path:
    """Return a file of a package, at exactly this version."""
    kept = _CACHE / f"{package.strip('@').replace('/', '-')}-{version}"
    file = kept / "node_modules" / package / path
    if not file.exists():
        npm = shutil.which("npm")
        if npm is None:
            pytest.fail(told(part for part in PARTS if part.name == "npm"), pytrace=False)
        _fetch(npm, f"{package}@{version}", kept)
    return file


def _fetch(npm: str, package: str, kept: Path) -> None:
    """Install the package beside its place, then move it there: two that fetch at once do not meet."""
    _CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE) as place:
        command = [npm, "install", "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run([*command, "--prefix", place, package], cwd=place, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.fail(f"npm could not fetch {package}: {done.stderr[-2000:]}", pytrace=False)
        if not kept.exists():
            shutil.copytree(Path(place), kept, copy_function=shutil.move)
