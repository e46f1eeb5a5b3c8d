"""`python -m shared.pipeline.lock_jars` writes `jars.lock` anew, for whoever moves to another Kafka."""

import tempfile
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from jgo.maven import MavenContext

from shared.pipeline.jars import LOCK

_WANTED: Final = (
    "org.apache.kafka:kafka_2.13:jar:4.4.0:compile",
    "org.slf4j:slf4j-simple:jar:1.7.36:compile",  # without a logger Kafka dies without a word
)
_HEADER: Final = "# Jars of the embedded broker, written by `python -m shared.pipeline.lock_jars`: coordinate sha256\n"


def main() -> None:
    """Resolve the newest agreed set of jars and write coordinate and sha256 of each."""
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(8) as threads:
        maven = MavenContext(repo_cache=Path(scratch), timeout=60)
        direct, transitive = maven.resolver.resolve([maven.create_dependency(wanted) for wanted in _WANTED])
        used = [dependency for dependency in (*direct, *transitive) if dependency.scope in ("compile", "runtime")]
        lines = set(threads.map(_line, used))
    LOCK.write_text(_HEADER + "".join(sorted(lines)))


def _line(dependency: Any) -> str:
    body = dependency.artifact.resolve().read_bytes()
    return f"{dependency.groupId}:{dependency.artifactId}:{dependency.version} {sha256(body).hexdigest()}\n"


if __name__ == "__main__":
    main()
