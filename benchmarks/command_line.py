"""Command line tools as subjects, where they are installed: what a script has to run to learn the digest and the
architecture of a tag's image.
"""

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
from shared.oci.media_types import IMAGE_CONFIGS, MANIFESTS

TOOLS: Final = {
    "skopeo": (("inspect", "--no-tags", "--tls-verify=false", "docker://{host}/{repository}:{tag}"),),
    "crane": (
        ("digest", "--insecure", "{host}/{repository}:{tag}"),
        ("config", "--insecure", "{host}/{repository}:{tag}"),
    ),
}
"""What each is asked of one tag, and nothing else: of an index they tell one image."""

_LONGEST_NAME: Final = 100
"""Some refuse the longest names there may be."""


def installed_tools() -> list[str]:
    """Return the tools that are there."""
    return [tool for tool in TOOLS if shutil.which(tool)]


def read_with(tool: str, registry: Distribution, sample: int, at_once: int) -> Cost:
    """Return what it costs a tool to read `sample` tags, so many at a time."""
    host = registry.url.removeprefix("http://")
    wanted = [
        [
            [tool, *(part.format(host=host, repository=repository, tag=tag) for part in command)]
            for command in TOOLS[tool]
        ]
        for repository, tag in islice(_tags(registry.url), sample)
    ]
    registry.requests()
    process = psutil.Process(registry.pid)
    registry_before, before, begun = cpu_of(process), _children_cpu(), time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        read = sum(pool.map(_reads, wanted))
    seconds = time.perf_counter() - begun
    if read < sample:
        raise SystemExit(f"{tool} could read {read} of {sample} tags only: its time says nothing.")
    return Cost(
        seconds=seconds,
        cpu=_children_cpu() - before,
        broker_cpu=0.0,
        registry_cpu=cpu_of(process) - registry_before,
        requests=registry.requests(),
        peak=0,
        told={"tags": read, "status": "complete"},
    )


def _reads(commands: list[list[str]]) -> bool:
    """Run them; return whether all could read that tag."""
    return all(subprocess.run(command, capture_output=True, check=False).returncode == 0 for command in commands)


def _tags(url: str) -> Iterator[tuple[str, str]]:
    """Yield tags of one image each: of an index the tools tell one, if there is one for this machine."""
    for repository in _json(f"{url}/v2/_catalog?n=1000")["repositories"]:
        if len(repository) > _LONGEST_NAME:
            continue
        tags = _json(f"{url}/v2/{repository}/tags/list")["tags"] or ()
        for tag in islice(tags, 20):
            manifest = _json(f"{url}/v2/{repository}/manifests/{tag}", ", ".join(MANIFESTS))
            if manifest.get("config", {}).get("mediaType") in IMAGE_CONFIGS:
                yield repository, tag


def _json(url: str, accept: str = "application/json") -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": accept}), timeout=30) as answer:
        return json.load(answer)


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
