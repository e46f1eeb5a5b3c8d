"""A subject being measured: a process of benchmarks.jobs, told to work, and what that cost whom."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from benchmarks.distribution import Distribution

_STOP_SECONDS: Final = 60.0


@dataclass(frozen=True)
class Cost:
    """One job's cost.

    cpu, broker_cpu, registry_cpu: seconds of the subject's own process, of the broker it started (0 = it has none), of
    the registry.  requests: by kind, as the registry's access log tells.  peak: the most memory the subject's process
    has had since it started, bytes (0 = not measured).  told: what the job said of itself.
    """

    seconds: float
    cpu: float
    broker_cpu: float
    registry_cpu: float
    requests: Counter[str]
    peak: int
    told: dict[str, Any]

    @property
    def tags(self) -> int:
        """How many tags were read."""
        return int(self.told["tags"])

    @property
    def tags_a_second(self) -> float:
        return self.tags / self.seconds


class Subject:
    """A running subject. It is told to work once at a time."""

    def __init__(self, process: "subprocess.Popen[str]", registry: Distribution) -> None:
        self._process: Final = process
        self._registry: Final = registry
        self._said("ready")

    def work(self) -> Cost:
        """Let the subject do its job, and return what it cost."""
        assert self._process.stdin
        self._registry.requests()
        before = self._cpu()
        self._process.stdin.write("work\n")
        self._process.stdin.flush()
        told = json.loads(self._said())
        cpu, broker, registry = (after - then for after, then in zip(self._cpu(), before, strict=True))
        requests = self._registry.requests()
        return Cost(told["seconds"], cpu, broker, registry, requests, _peak(self._process.pid), told)

    def _said(self, expected: str | None = None) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline().rstrip("\n")
        if not line or expected not in (None, line):
            raise SystemExit(f"{self._process.args!r} said {line!r} and stopped; see what it wrote above.")
        return line

    def _cpu(self) -> tuple[float, float, float]:
        own = psutil.Process(self._process.pid)
        return cpu_of(own), sum(map(cpu_of, own.children())), cpu_of(psutil.Process(self._registry.pid))


@contextmanager
def running(program: str | Path, registry: Distribution, *arguments: str) -> Iterator[Subject]:
    """Run a module of ours, or a program, as a subject that reads `registry`, until the block ends."""
    begins = (str(program),) if isinstance(program, Path) else (sys.executable, "-m", program)
    command: Sequence[str] = (*begins, registry.url, *arguments)
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Subject(process, registry)
    finally:
        assert process.stdin
        process.stdin.close()  # no more jobs: it ends by itself
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def _peak(pid: int) -> int:
    """Return the most memory the process has had, where the system tells, else what it has now; bytes."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return int(psutil.Process(pid).memory_info().rss)
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024
