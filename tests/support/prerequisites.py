"""What the tests need beyond the pinned packages, and a sentence for each part that is missing.

`python -m tests.support.prerequisites` runs before the suite, so that a missing part is told in a second and by
name, never as a skipped test. Where a Docker engine answers, it brings the servers; else they are programs here.
"""

import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import docker
from docker.errors import DockerException


@dataclass(frozen=True)
class Part:
    """Something the tests need.  present: is it here?  install: what to type to get it."""

    name: str
    used_for: str
    install: str
    present: Callable[[], bool]


def docker_answers() -> bool:
    """Is there a Docker engine that answers?"""
    try:
        client = docker.from_env(timeout=5)
    except DockerException:
        return False
    client.close()
    return True


def _program(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


PARTS: Final = (
    Part(
        "docker-registry",
        "a real registry (CNCF Distribution) to load from",
        "apt-get install docker-registry",
        _program("docker-registry"),
    ),
    Part(
        "chromium",
        "the console's pages in a real browser",
        "apt-get install chromium",
        _program("chromium"),
    ),
    Part(
        "npm",
        "a real ClickHouse server: it fetches the package with the engine",
        "apt-get install npm",
        _program("npm"),
    ),
)


def missing(parts: Iterable[Part]) -> list[Part]:
    """Return the parts that are not here."""
    return [part for part in parts if not part.present()]


def told(parts: Iterable[Part]) -> str:
    """Return what is missing and how to install it, for a person."""
    lines = [f"  {part.name}: {part.used_for}\n      {part.install}" for part in parts]
    return "\n".join(
        [
            "The tests run on real parts and do without none. Missing here:",
            *lines,
            "Install them (the commands are for Debian and Ubuntu), or start a Docker engine, which brings them all.",
        ]
    )


def main() -> int:
    """Say what is missing; 0 = nothing."""
    lacking = missing(PARTS)
    if not lacking or docker_answers():
        return 0
    print(told(lacking), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
