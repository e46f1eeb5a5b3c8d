"""Takes hints at once, and asks for what they point to a moment later, on a task of its own."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Protocol

from services.console.hooks.coalescing import Hints
from services.console.hooks.payloads import Target
from services.scope import is_repository_in_scope, is_tag_in_scope
from shared.errors import PermanentError, TransientError
from shared.messages.connection_changed import Connection
from shared.observability.logs import log_of

_LOG: Final = log_of("hooks")
_TICK_SECONDS: Final = 0.1
_PAUSE_SECONDS: Final = 2.0


class AsksForTargets(Protocol):
    """Asks for scans of what hooks pointed to (`services.scan_requests`)."""

    async def hint(self, registry: str, targets: Sequence[Target], now: datetime) -> int: ...


class HookReceiver:
    """Holds hints in memory: one that is lost with the process is found by the next sweep.

    clock: the time in UTC, for people.
    """

    def __init__(self, requests: AsksForTargets, clock: Callable[[], datetime]) -> None:
        self._requests: Final = requests
        self._clock: Final = clock
        self._hints: Final[dict[str, Hints]] = defaultdict(Hints)

    def offer(self, connection: Connection, targets: list[Target]) -> int:
        """Take the targets that the connection is asked for; return how many. An inactive one is asked for nothing."""
        wanted = [target for target in targets if _is_wanted(connection, target)]
        if wanted:
            self._hints[connection.registry].add(wanted, time.monotonic())
        return len(wanted)

    async def run(self) -> None:
        """Ask for what is due, until cancelled."""
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            for registry in list(self._hints):
                due = self._hints[registry].due(time.monotonic())
                if due:
                    await self._ask(registry, due)

    async def _ask(self, registry: str, due: list[Target]) -> None:
        try:
            await self._requests.hint(registry, due, self._clock())
        except TransientError as error:
            _LOG.warning("hints wait", registry=registry, why=error)
            self._hints[registry].put_back(due, time.monotonic() + _PAUSE_SECONDS)
        except PermanentError as error:  # deleted, or made inactive meanwhile
            _LOG.info("hints dropped", registry=registry, why=error)


def _is_wanted(connection: Connection, target: Target) -> bool:
    repository, tag = target
    if not connection.is_active or not is_repository_in_scope(connection, repository):
        return False
    if connection.repositories and repository not in connection.repositories:
        return False
    return tag is None or is_tag_in_scope(connection, tag)
