"""The benchmarks can be started at any time: they import what is there, and their table has its place."""

import subprocess
import sys
from pathlib import Path

from benchmarks.report import README, write
from tests.contract.source_tree import ROOT


def test_the_benchmarks_tell_how_to_run_them() -> None:
    command = [sys.executable, "-m", "benchmarks", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, env={"NO_COLOR": "1"})
    assert "--quick" in done.stdout
    assert "--write" in done.stdout


def test_every_subject_imports_what_is_there() -> None:
    modules = "import benchmarks.bare, benchmarks.loads, benchmarks.worker"
    done = subprocess.run([sys.executable, "-c", modules], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_readme_has_a_place_for_the_measured_table(tmp_path: Path) -> None:
    readme = tmp_path / README.name
    readme.write_text(README.read_text(encoding="utf-8"), encoding="utf-8")
    write("| made up |", readme)
    write("| made up anew |", readme)
    text = readme.read_text(encoding="utf-8")
    assert "| made up anew |" in text
    assert "| made up |" not in text
