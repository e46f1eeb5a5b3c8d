"""The machines that Tallyman supports, and which files of the index a lock installs on each of them."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
PROJECT: Final[Mapping[str, Any]] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

PYTHONS: Final = tuple(
    version
    for classifier in PROJECT["classifiers"]
    for version in re.findall(r"^Programming Language :: Python :: (3\.\d+)$", classifier)
)
# Operating system, as its classifier names it -> its platforms, as uv names them. glibc 2.28 is Debian 10's.
PLATFORMS: Final[Mapping[str, tuple[str, ...]]] = {
    "POSIX :: Linux": ("x86_64-manylinux_2_28", "aarch64-manylinux_2_28"),
    "MacOS": ("aarch64-apple-darwin",),
}
# The only package that may be built from its source.
BUILT: Final = "faust-streaming"

# pip's option -> the variable by which uv takes the same.
_UV_VARIABLES: Final[Mapping[str, str]] = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


class Unresolvable(Exception):
    """The lock cannot be installed on a machine; the message is the resolver's."""


@dataclass(frozen=True)
class Machine:
    """python: as 3.11.  platform: one of PLATFORMS."""

    python: str
    platform: str


@dataclass(frozen=True)
class Package:
    """A package as the index has it for one machine. wheels, source: sha256 in hex; only wheels that fit there."""

    name: str
    version: str
    wheels: frozenset[str]
    source: frozenset[str]


MACHINES: Final = tuple(
    Machine(python, platform) for python in PYTHONS for platforms in PLATFORMS.values() for platform in platforms
)


def resolve(lock: Path, machine: Machine) -> list[Package]:
    """Return all packages that the lock's requirements need on a machine. Needs the package index.

    Raises Unresolvable.
    """
    command = [Path(sys.executable).with_name("uv"), "pip", "compile", "--quiet", "--no-header"]
    command += ["--python", sys.executable, "--python-version", machine.python, "--python-platform", machine.platform]
    command += ["--no-build-isolation", "--format", "pylock.toml", lock]
    done = subprocess.run(command, cwd=ROOT, env=_as_pip_does(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Unresolvable(done.stderr)
    return [_package(entry) for entry in tomllib.loads(done.stdout)["packages"]]


def locked(lock: Path) -> dict[tuple[str, str], frozenset[str]]:
    """Return the sha256 that the lock allows of each package, by name and version."""
    entries = re.findall(r"^([a-z0-9-]+)==(\S+)(.*\n(?: .*\n)*)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    return {(name, version): frozenset(re.findall(r"sha256:([0-9a-f]{64})", rest)) for name, version, rest in entries}


def _package(entry: Mapping[str, Any]) -> Package:
    return Package(
        entry["name"],
        entry["version"],
        wheels=frozenset(wheel["hashes"]["sha256"] for wheel in entry.get("wheels", ())),
        source=frozenset(source["hashes"]["sha256"] for source in [entry.get("sdist")] if source),
    )


@cache
def _as_pip_does() -> Mapping[str, str]:
    """Return an environment in which uv asks the index that pip asks, and trusts whom pip trusts."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    found = dict(line.partition("=")[::2] for line in listed.splitlines())
    given = {
        variable: " ".join(ast.literal_eval(found[key]).split())
        for option, variable in _UV_VARIABLES.items()
        for section in ("global", "install", ":env:")  # the later counts
        if (key := f"{section}.{option}") in found
    }
    rules = {"UV_PYTHON_DOWNLOADS": "never", "UV_SYSTEM_CERTS": "1", "UV_INDEX_STRATEGY": "unsafe-best-match"}
    return {**os.environ, **given, **rules}
