"""Command line tools as subjects, where they are installed: one process a manifest, as scripts run them."""

import json
import resource
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any, Final

import psutil

from benchmarks.distribution import Distribution
from benchmarks.subject import Cost, cpu_of

TOOLS: Final = {
    "skopeo": ("inspect", "--raw", "--tls-verify=false", "docker://{host}/{repository}:{tag}"),
    "crane": ("manifest", "--insecure", "{host}/{repository}:{tag}"),
}
"""How each is asked for one manifest, and nothing else."""

_PROCESSES: Final = 8


def installed_tools() -> list[str]:
    """Return the tools that are there."""
    return [tool for tool in TOOLS if shutil.which(tool)]


def read_with(tool: str, registry: Distribution, sample: int) -> Cost:
    """Return what it costs a tool to read the manifests of `sample` tags, eight processes at a time."""
    host = registry.url.removeprefix("http://")
    commands = [
        [tool, *(part.format(host=host, repository=repository, tag=tag) for part in TOOLS[tool])]
        for repository, tag in islice(_tags(registry.url), sample)
    ]
    registry.requests()
    process = psutil.Process(registry.pid)
    registry_before, before, begun = cpu_of(process), _children_cpu(), time.perf_counter()
    with ThreadPoolExecutor(_PROCESSES) as pool:
        read = sum(pool.map(_reads, commands))
    seconds = time.perf_counter() - begun
    return Cost(
        seconds=seconds,
        cpu=_children_cpu() - before,
        broker_cpu=0.0,
        registry_cpu=cpu_of(process) - registry_before,
        requests=registry.requests(),
        peak=0,
        told={"tags": read, "status": "complete"},
    )


def _reads(command: list[str]) -> bool:
    """Run it; return whether it could read that manifest. (Some refuse the longest names there may be.)"""
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _tags(url: str) -> Iterator[tuple[str, str]]:
    for repository in _json(f"{url}/v2/_catalog?n=1000")["repositories"]:
        tags = _json(f"{url}/v2/{repository}/tags/list")["tags"] or ()
        for tag in islice(tags, 20):
            yield repository, tag


def _json(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=30) as answer:
        return json.load(answer)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
