"""The first steps of `make run` on a machine that lacks something: what is brought, or the sentence about it."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.contract.source_tree import ROOT

RECORD_ARGUMENTS = '#!/bin/sh\necho "$@" >>"$(dirname "$0")/calls"\n'


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder first on PATH: in it the caller is an ordinary user, and sudo asks for a password."""
    folder = tmp_path / "programs"
    folder.mkdir()
    _write(folder / "id", "#!/bin/sh\necho 1000\n")
    _write(folder / "sudo", "#!/bin/sh\nexit 1\n")
    return folder


def _write(program: Path, script: str) -> None:
    program.write_text(script)
    program.chmod(0o755)


def _run(script: str, *arguments: str, programs: Path) -> subprocess.CompletedProcess[str]:
    """Run a copy of the scripts, so that what they bring lands beside the copy."""
    place = programs.parent / "setup"
    place.mkdir()
    for name in ("debian", "venv"):
        _write(place / name, (ROOT / "setup" / name).read_text(encoding="utf-8"))
    path = f"{programs}:/usr/bin:/bin"
    command = [place / script, *arguments]
    return subprocess.run(command, env={"PATH": path}, capture_output=True, text=True, check=False)


def test_without_root_packages_are_downloaded_and_nothing_is_installed(programs: Path) -> None:
    _write(programs / "apt-get", RECORD_ARGUMENTS + 'touch "$PWD/.cache/apt/archives/anvil.deb"\n')
    _write(programs / "dpkg-deb", RECORD_ARGUMENTS)
    done = _run("debian", "anvil", programs=programs)
    update, install, unpack = (programs / "calls").read_text().splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert "into .cache/debian" in done.stdout
    assert update.endswith(" update")
    assert install.endswith(" install --download-only --yes --no-install-recommends anvil")
    assert unpack == "--extract .cache/apt/archives/anvil.deb .cache/debian"


def test_a_package_that_cannot_be_had_fails_with_the_reason(programs: Path) -> None:
    _write(programs / "apt-get", "#!/bin/sh\necho E: no network\nexit 100\n")
    done = _run("debian", "anvil", programs=programs)
    assert (done.returncode, done.stderr) == (1, "E: no network\n")


@pytest.mark.parametrize("version", ["3.10.12", "3.15.0"])
def test_an_unsupported_python_gets_a_sentence(version: str, programs: Path) -> None:
    python = programs / "python-of-tallyman"
    _write(python, f'#!/bin/sh\ncase "$2" in *platform*) echo {version} ;; *) exit 1 ;; esac\n')
    done = _run("venv", str(programs.parent / "venv"), str(python), programs=programs)
    assert done.returncode == 1
    assert done.stderr == (
        f"Tallyman runs on Python 3.11 to 3.14. Found as {python}: {version}. "
        "Install one of these, or name one that is here: make PYTHON=/path/to/python3.11 …\n"
    )


def test_the_supported_pythons_are_those_of_the_package() -> None:
    script = (ROOT / "setup/venv").read_text(encoding="utf-8")
    newest = re.findall(r"^newest=(\d+)$", script, re.MULTILINE)
    assert f'requires-python = ">=3.11,<3.{int(newest[0]) + 1}"' in (ROOT / "pyproject.toml").read_text(
        encoding="utf-8"
    )
