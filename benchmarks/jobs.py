"""The measured side: a process of its own that does its job each time it is told to, and says what came of it.

On standard output: "ready", then for each line read from standard input one JSON object. The measuring process
(benchmarks.subject) takes the costs in between.
"""

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import TextIO

Told = Mapping[str, object]
"""What a job says of itself; `seconds`: how long it took."""


def taken_orders() -> TextIO:
    """Return standard input, nothing left in its place: an insert of the embedded engine reads whatever lies there."""
    orders = os.fdopen(os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    return orders


async def serve(orders: TextIO, job: Callable[[], Awaitable[Told]]) -> None:
    """Do the job for each line that comes in, until there are no more."""
    _say("ready")
    while await asyncio.to_thread(orders.readline):
        _say(json.dumps(await job()))


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
