"""The jars of the embedded broker: downloaded once, and checked against `jars.lock` before each start.

`python -m shared.pipeline.jars` is the set-up step that downloads them.
"""

import hashlib
import itertools
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jgo.maven import MavenContext

from shared.errors import TallymanError
from shared.pipeline.downloads import UntrustedServer, download, session
from shared.settings import load_settings

LOCK: Final = Path(__file__).with_name("jars.lock")

_DOWNLOADS_AT_ONCE: Final = 8


class JarError(TallymanError):
    """A jar cannot be had, or is not the one in the lock."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, reason="jars")


@dataclass(frozen=True)
class Jar:
    """A line of the lock. coordinate: Maven's group:artifact:version.  sha256: hex."""

    coordinate: str
    sha256: str

    @property
    def file_name(self) -> str:
        _, artifact, version = self.coordinate.split(":")
        return f"{artifact}-{version}.jar"

    @property
    def path(self) -> str:
        """Where it lies in a Maven repository."""
        group, artifact, version = self.coordinate.split(":")
        return f"{group.replace('.', '/')}/{artifact}/{version}/{self.file_name}"


def locked_jars(lock: Path = LOCK) -> tuple[Jar, ...]:
    """Return the jars in the lock, in the order of the classpath. Lines: `coordinate sha256`; # starts a comment."""
    lines = (line.split() for line in lock.read_text().splitlines() if line and not line.startswith("#"))
    return tuple(Jar(coordinate, sha256) for coordinate, sha256 in lines)


def jars_folder(data: Path) -> Path:
    """Return where the jars are kept: the user's cache, or `data`/.cache where that cannot be written."""
    try:
        home = Path.home().absolute()
        if home != Path("/"):  # what an unset HOME comes to
            folder = home / ".cache" / "tallyman" / "jars"
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    except (OSError, RuntimeError):
        pass  # a read-only or an unknown home
    folder = data.absolute() / ".cache" / "jars"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def ensure_jars(
    folder: Path, jars: Iterable[Jar], downloaded: Callable[[Jar], None] = lambda jar: None
) -> tuple[Path, ...]:
    """Return the jars' paths, each checked against the lock; only what is missing is downloaded.

    downloaded: called for each jar that was.
    Raises JarError, naming the jar, when one is not the one in the lock or cannot be downloaded.
    """
    jars = tuple(jars)
    missing = [jar for jar in jars if not (folder / jar.file_name).exists()]
    if missing:
        _download(folder, missing, downloaded)
    return tuple(_checked(folder / jar.file_name, jar) for jar in jars)


def _download(folder: Path, jars: Iterable[Jar], downloaded: Callable[[Jar], None]) -> None:
    with (
        tempfile.TemporaryDirectory(dir=folder, prefix="download-") as scratch,
        ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as threads,
    ):
        try:
            for done in as_completed([threads.submit(_download_one, Path(scratch), jar, folder) for jar in jars]):
                downloaded(done.result())
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)  # without a network each would wait for its timeout
            raise


def _download_one(scratch: Path, jar: Jar, folder: Path) -> Jar:
    """Each download has a session of its own: they are not made for threads."""
    path = scratch / jar.file_name
    try:
        with session() as own:
            download(own, f"{_repository()}/{jar.path}", path)
    except UntrustedServer as error:
        raise JarError(
            f"The jar {jar.file_name} of the embedded broker could not be downloaded: {error}. Where a proxy inspects "
            "HTTPS, name a file with its CA certificate in SSL_CERT_FILE, PIP_CERT or REQUESTS_CA_BUNDLE, or add it "
            "to the system's, and run `make setup` again."
        ) from error
    except OSError as error:  # requests' errors are OSErrors
        raise JarError(
            f"The jar {jar.file_name} of the embedded broker could not be downloaded ({type(error).__name__}): check "
            "the network and the proxy settings and run `make setup` again, or set TALLYMAN_KAFKA to a broker of "
            "your own."
        ) from error
    # Checked before it gets its name: what lies in the folder was right once, also for a process beside this one.
    os.replace(_checked(path, jar), folder / jar.file_name)
    return jar


def _repository() -> str:
    """Return the address of Maven's central repository."""
    return next(iter(MavenContext().remote_repos.values()))


def _checked(path: Path, jar: Jar) -> Path:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != jar.sha256:
        raise JarError(
            f"The jar {jar.file_name} is not the one Tallyman was tested with (sha256 {found}, expected "
            f"{jar.sha256}): delete {path} and run `make setup`; if it comes back, do not trust where it comes from."
        )
    return path


def main() -> None:
    """Download what is missing and say so."""
    jars = locked_jars()
    numbers = itertools.count(1)
    try:
        folder = jars_folder(load_settings().data)
        ensure_jars(folder, jars, lambda jar: _say(f"  broker jar {next(numbers)}: {jar.file_name}"))
    except TallymanError as error:
        sys.exit(str(error))
    _say(f"{len(jars)} broker jars in {folder}, all as in the lock.")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
