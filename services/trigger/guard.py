"""Runs an agent's work so that nothing is acknowledged away.

Faust acknowledges an event whose agent raises, which loses it. Here an event is acknowledged by hand, and only when it
is worked or its dead letter is safe: what may work later is tried until it does, what cannot work is dead-lettered,
and so many unexpected errors in a row stop the service with none of them acknowledged.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from typing import Final, Protocol

from services.trigger.rules import Received
from shared.errors import PermanentError, TransientError
from shared.observability.logs import log_of
from shared.pipeline.dead_letters import REASON_UNEXPECTED, Origin, frames
from shared.pipeline.retries import backoff_seconds
from shared.pipeline.stage import StageStopped
from shared.pipeline.suspects import Suspects
from shared.settings import Settings

NAME: Final = "trigger"


class Delivery(Protocol):
    """A record that a stream has given, not acknowledged yet."""

    @property
    def record(self) -> Received: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def origin(self) -> Origin: ...
    async def acknowledge(self) -> None: ...


Bury = Callable[[Delivery, Exception], Awaitable[None]]
"""Writes a record's dead letter; returns once it is safe."""


class Guard:
    """Works the records of one agent.

    fail: told the error for which the service cannot go on.  first_backoff: seconds before a second try.
    """

    def __init__(
        self,
        settings: Settings,
        bury: Bury,
        fail: Callable[[Exception], None],
        *,
        first_backoff: float,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._attempts: Final = settings.attempts
        self._bury: Final = bury
        self._fail: Final = fail
        self._first_backoff: Final = first_backoff
        self._chance: Final = chance
        self._suspects: Suspects[Delivery] = Suspects(settings.errors_in_a_row)
        self._log: Final = log_of(NAME)

    async def run(self, stream: AsyncIterator[Delivery], work: Callable[[Received], Awaitable[None]]) -> None:
        """Work what the stream gives, one after another, for as long as it gives anything. Raises nothing."""
        async for delivery in stream:
            try:
                goes_on = await self._worked(delivery, work)
            except Exception as error:  # noqa: BLE001  # of our own: Faust would start the agent anew behind the event
                self._fail(error)
                goes_on = False
            if not goes_on:
                await asyncio.Event().wait()  # the service is being stopped: what is not acknowledged comes again

    def forget(self, partitions: Collection[tuple[str, int]]) -> None:
        """Drop the suspects of these (topic, partition): they are somebody else's now, and come again there."""
        self._suspects.forget(lambda held: (held.origin.topic, held.origin.partition) in partitions)

    async def _worked(self, delivery: Delivery, work: Callable[[Received], Awaitable[None]]) -> bool:
        """Return False where the service must stop."""
        error = await self._tried(delivery, work)
        if error is not None and not isinstance(error, PermanentError):
            place = f"{delivery.origin.topic}/{delivery.origin.partition}/{delivery.origin.offset}"
            self._log.error("unexpected error", at=place, error=type(error).__name__, traceback=frames(error))
            if self._suspects.hold(delivery, error):
                self._fail(StageStopped(NAME, self._suspects.most, error))
                return False
            return True
        for suspect, why in self._suspects.convict():
            await self._give_up(suspect, why)
        if error is not None:
            await self._give_up(delivery, error)
        else:
            await delivery.acknowledge()
        return True

    async def _tried(self, delivery: Delivery, work: Callable[[Received], Awaitable[None]]) -> Exception | None:
        """Return what the work came to in the end: None, or the error for which it cannot be done."""
        failures = unexpected = 0
        while True:
            try:
                await work(delivery.record)
            except PermanentError as error:
                return error
            except TransientError as error:
                asked = error.retry_after_seconds
                self._log.warning("not done, trying again", why=error)
            except Exception as error:  # noqa: BLE001  # whatever it is, the event must not be lost
                unexpected, asked = unexpected + 1, None
                if unexpected >= self._attempts:
                    return error
            else:
                return None
            failures += 1
            await asyncio.sleep(backoff_seconds(self._first_backoff, failures, asked, self._chance()))

    async def _give_up(self, delivery: Delivery, error: Exception) -> None:
        """Write the dead letter, however long the broker needs, then acknowledge."""
        failures = 0
        while True:
            try:
                await self._bury(delivery, error)
                break
            except TransientError as refused:
                failures += 1
                self._log.warning("dead letter not written, trying again", why=refused)
                await asyncio.sleep(backoff_seconds(self._first_backoff, failures, None, self._chance()))
        reason = error.reason if isinstance(error, PermanentError) else REASON_UNEXPECTED
        self._log.warning("dead-lettered", reason=reason, topic=delivery.origin.topic, offset=delivery.origin.offset)
        await delivery.acknowledge()
