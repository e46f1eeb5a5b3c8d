"""A registry to read from, CNCF Distribution on loopback, that tells how often it was asked for what."""

import re
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from shared.pipeline.broker_properties import free_ports
from tests.support.generator import generate
from tests.support.generator_storage import Storage
from tests.support.programs import find_program
from tests.support.registry import memory_folder

KINDS: Final = ("catalog", "tags", "manifest 200", "manifest 304", "config", "token", "other")
_SEED: Final = 7
_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 60.0
_SETTLE_SECONDS: Final = 0.2

_CONFIG: Final = """\
version: 0.1
log: {{level: error, accesslog: {{disabled: false}}}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, maintenance: {{uploadpurging: {{enabled: false}}}}}}
http: {{addr: "127.0.0.1:{port}", secret: benchmark}}
"""

_LINE: Final = re.compile(r'"(?:GET|HEAD) (?P<path>/\S*) HTTP/[\d.]+" (?P<status>\d{3}) ')
"""A line of the access log, in Apache's combined format."""


@dataclass
class Distribution:
    """A running registry.  tags: how many it holds.  log: its access log."""

    url: str
    pid: int
    tags: int
    log: Path
    _read: int = field(default=0, repr=False)

    def requests(self) -> Counter[str]:
        """Return the requests since this was asked last, by kind (KINDS)."""
        time.sleep(_SETTLE_SECONDS)  # a line is written after its answer
        with self.log.open("rb") as lines:
            lines.seek(self._read)
            text = lines.read()
        self._read += len(text)
        return Counter(_kind(match["path"], match["status"]) for match in _LINE.finditer(text.decode()))


def _kind(path: str, status: str) -> str:
    path = path.partition("?")[0]
    if path == "/v2/_catalog":
        return "catalog"
    if path.endswith("/tags/list"):
        return "tags"
    if "/manifests/" in path and status in ("200", "304"):
        return f"manifest {status}"
    if "/blobs/" in path:
        return "config"
    return "other"


@contextmanager
def filled_registry(repositories: int, tags: int) -> Iterator[Distribution]:
    """Run a registry that holds a generated estate of this size, the same at every run, until the block ends."""
    program = find_program("docker-registry")
    if program is None:
        raise SystemExit("The benchmark reads from a real registry: make doctor brings it")
    with memory_folder() as folder:
        Storage(folder / "data").write(generate(_SEED, repositories, tags))
        port, _ = free_ports()
        config, log, errors = (folder / name for name in ("config.yml", "access.log", "errors.log"))
        config.write_text(_CONFIG.format(folder=folder, port=port))
        with log.open("wb") as output, errors.open("wb") as words:
            process = subprocess.Popen([program, "serve", config], stdout=output, stderr=words, env={})
        try:
            url = f"http://127.0.0.1:{port}"
            _wait_for(url, process, errors)
            registry = Distribution(url, process.pid, tags, log)
            registry.requests()
            yield registry
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


def _wait_for(url: str, process: subprocess.Popen[bytes], errors: Path) -> None:
    """Raises RuntimeError with its last words where the registry ended, or does not answer."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"{url}/v2/", timeout=10):
                return
        except OSError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                ended = "still runs" if process.poll() is None else f"ended with {process.returncode}"
                raise RuntimeError(
                    f"docker-registry does not answer at {url}, and {ended}: {errors.read_text()[-2000:]}"
                ) from error
            time.sleep(0.02)
