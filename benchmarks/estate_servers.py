"""Many registries in one process that answer fast and store nothing: `python -m benchmarks.estate_servers N R T`.

N registries of R repositories of T tags each, on ports of their own. Prints their addresses as one JSON list, and
serves until standard input closes.
"""

import asyncio
import json
import sys

import uvloop

from tests.fakes.counting_content import Content
from tests.fakes.counting_registry import CountingServer


async def main(registries: int, repositories: int, tags: int) -> None:
    content = Content(repositories, tags)
    servers = [
        CountingServer(f"estate-{number}", content, _unseen, 0.0, max_connections=1000, is_guarded=False)
        for number in range(registries)
    ]
    sys.stdout.write(json.dumps([server.url for server in servers]) + "\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    for server in servers:
        server.close()


def _unseen(_: object) -> None:
    """Nobody counts."""


if __name__ == "__main__":
    uvloop.run(main(*map(int, sys.argv[1:4])))
