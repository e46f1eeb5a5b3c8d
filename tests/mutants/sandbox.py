"""A copy of the repository in which mutmut runs: the work tree is never mutated, whatever stops the run."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.mutants.targets import Target

_COPIED: Final = ("services", "shared", "tallyman", "tests")
_MUTMUT: Final = Path(sys.executable).with_name("mutmut")
_KILLED: Final = frozenset({"killed", "timeout"})
"""A mutant that makes a test run for ever is killed, too."""


@dataclass(frozen=True)
class Survivor:
    """function: dotted, with its class.  change: the lines that the mutant has instead, or those that it lacks."""

    name: str
    function: str
    status: str
    change: str


class Sandbox:
    """Runs mutmut on one target.  folder: is made anew, and stays for a look at it afterwards."""

    def __init__(self, folder: Path, target: Target) -> None:
        self._folder: Final = folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in _COPIED:
            shutil.copytree(name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy("pyproject.toml", folder)
        (folder / "setup.cfg").write_text(_settings(target))

    def run(self) -> int:
        """Test all mutants, one after another, and return how many there are. Raises SystemExit if mutmut fails."""
        log = self._folder / "run.log"
        with log.open("w") as file:
            ended = subprocess.run([_MUTMUT, "run", "--max-children", "1"], cwd=self._folder, stdout=file, stderr=file)
        if ended.returncode:
            raise SystemExit(f"mutmut ended with {ended.returncode}: see {log}")
        self._output("export-cicd-stats")
        stats = json.loads((self._folder / "mutants" / "mutmut-cicd-stats.json").read_text())
        return int(stats["total"])

    def survivors(self) -> Iterator[Survivor]:
        """Return the mutants that no test kills."""
        for line in self._output("results").splitlines():
            name, _, status = line.strip().rpartition(": ")
            if name and status not in _KILLED:
                yield Survivor(name, _function(name), status, _change(self._output("show", name)))

    def _output(self, *arguments: str) -> str:
        return subprocess.run(
            [_MUTMUT, *arguments], cwd=self._folder, check=True, text=True, stdout=subprocess.PIPE
        ).stdout


def _settings(target: Target) -> str:
    """Return mutmut's settings.  timeout: (seconds of the tests + constant) * multiplier, on a busy machine, too."""
    settings = {
        "source_paths": target.modules,
        "also_copy": ("services", "shared", "tallyman"),
        "pytest_add_cli_args": (
            "-p",
            "no:cacheprovider",
            "-p",
            "tests.mutants.examples",
            "--hypothesis-profile=mutants",
            "--seed=1",
        ),
        "pytest_add_cli_args_test_selection": (*target.tests, *(f"--deselect={test}" for test in target.left_out)),
        "timeout_constant": ("5",),
        "timeout_multiplier": ("4",),
        "track_dependencies": ("false",),
        "use_git_change_detection": ("false",),
    }
    lines = [f"{name} =\n" + "".join(f"  {value}\n" for value in values) for name, values in settings.items()]
    return "[mutmut]\n" + "".join(lines)


def _function(name: str) -> str:
    """Return the function of a mutant.  name: `module.x_function__mutmut_1`, or `module.xǁClassǁmethod__mutmut_1`."""
    module, _, mangled = name.rpartition("__mutmut_")[0].rpartition(".")
    plain = mangled.removeprefix("xǁ").replace("ǁ", ".") if mangled.startswith("xǁ") else mangled.removeprefix("x_")
    return f"{module}.{plain}"


def _change(diff: str) -> str:
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    added = [line[1:].strip() for line in lines if line.startswith("+")]
    removed = [line[1:].strip() for line in lines if line.startswith("-")]
    return " ".join(added) if added else "without: " + " ".join(removed)
