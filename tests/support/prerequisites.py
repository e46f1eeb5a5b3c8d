"""What the tests need beyond the pinned packages: what is missing is brought, or named with how to install it.

`python -m tests.support.prerequisites` runs before the suite, so that a missing part is named within seconds, never a
skipped test. Each part comes from the first source that has it: Debian's packages (with root, or unpacked without it),
then a download that needs no root. Where a Docker engine answers, the servers are containers.
"""

import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

import docker
from docker.errors import DockerException

from tests.support.programs import BROUGHT, CACHE, find_program, give_playwright_node, link_unpacked, write_program

_ROOT: Final = CACHE.parent
_DISTRIBUTION: Final = _ROOT / "tests" / "support" / "distribution"


@dataclass(frozen=True)
class Part:
    """Something the tests need.

    name: the program's.  package: Debian's name of it; None = it has none.  unpacked: the program's path in there.
    download: brings the program without root; returns False where it cannot.  otherwise: how to install it where
    there is no apt-get.  in_container: does a Docker engine replace it?
    """

    name: str
    used_for: str
    package: str | None
    unpacked: str
    download: Callable[[], bool]
    otherwise: str
    in_container: bool

    def present(self) -> bool:
        return find_program(self.name) is not None


def docker_answers() -> bool:
    """Is there a Docker engine that answers?"""
    try:
        client = docker.from_env(timeout=5)
    except DockerException:
        return False
    client.close()
    return True


def _build_registry() -> bool:
    """Build CNCF Distribution from its Go module, at the version and hashes of go.sum."""
    go = shutil.which("go")
    if go is None:
        return False
    print("Building docker-registry from its Go module", flush=True)
    command = [go, "build", "-mod=readonly", "-o", str(BROUGHT / "docker-registry"), "."]
    return subprocess.run(command, cwd=_DISTRIBUTION, check=False).returncode == 0


def _download_browser() -> bool:
    """Download the browser that Playwright is made for, and see it start: it needs libraries of the system."""
    from playwright.sync_api import sync_playwright

    print("Downloading chromium with Playwright", flush=True)
    give_playwright_node()
    if subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False).returncode != 0:
        return False
    with sync_playwright() as playwright:
        browser = playwright.chromium.executable_path
    if subprocess.run([browser, "--version"], check=False, capture_output=True).returncode != 0:
        return False
    write_program("chromium", f'exec "{browser}" "$@"\n')
    return True


PARTS: Final = (
    Part(
        name="docker-registry",
        used_for="a real registry (CNCF Distribution) to load from",
        package="docker-registry",
        unpacked="usr/bin/docker-registry",
        download=_build_registry,
        otherwise="install Go, which builds it, or start a Docker engine",
        in_container=True,
    ),
    Part(
        name="chromium",
        used_for="the console's pages in a real browser",
        package="chromium",
        unpacked="usr/lib/chromium/chromium",
        download=_download_browser,
        otherwise=".venv/bin/python -m playwright install --with-deps chromium",
        in_container=False,
    ),
)


def missing(parts: Iterable[Part]) -> list[Part]:
    """Return the parts that are not here."""
    return [part for part in parts if not part.present()]


def how_to_install(parts: Iterable[Part]) -> str:
    """Return what is missing and what to type to get it."""
    parts = list(parts)
    lines = [f"  {part.name}: {part.used_for}" for part in parts]
    packages = _packages(parts)
    commands = [part.otherwise for part in parts if not _is_packaged(part)]
    if packages:
        commands.append(f"sudo apt-get install {' '.join(packages)}")
    return "\n".join(
        [
            "The tests run on real parts. Missing here, and could not be brought:",
            *lines,
            "Install them, then start over:",
            *(f"  {command}" for command in commands),
        ]
    )


def bring(parts: Iterable[Part]) -> None:
    """Bring the parts from the first source that has them; a source that fails leaves them missing."""
    parts = list(parts)
    _bring_packages([part for part in parts if _is_packaged(part)])
    for part in missing(parts):
        part.download()


def _bring_packages(parts: list[Part]) -> None:
    """Install or unpack the parts' packages, all at once."""
    if not parts:
        return
    done = subprocess.run([_ROOT / "setup" / "debian", *_packages(parts)], check=False)
    if done.returncode == 0:
        for part in missing(parts):
            link_unpacked(part.name, part.unpacked)


def _packages(parts: Iterable[Part]) -> list[str]:
    return [part.package for part in parts if part.package and _is_packaged(part)]


def _is_packaged(part: Part) -> bool:
    """Is there a package of this part here? Ubuntu's chromium is none: it installs a snap."""
    if part.package is None or shutil.which("apt-get") is None:
        return False
    return part.package != "chromium" or platform.freedesktop_os_release()["ID"] != "ubuntu"


def main() -> int:
    """Bring what is missing; 0 = everything is here."""
    lacking = missing(PARTS)
    if any(part.in_container for part in lacking) and docker_answers():
        lacking = [part for part in lacking if not part.in_container]
    bring(lacking)
    lacking = missing(lacking)
    if lacking:
        print(how_to_install(lacking), file=sys.stderr)
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
