"""Where messages are worked: side by side within bounds, tried again, given up, or held back as suspects."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Collection, Iterable
from typing import Generic, TypeVar

from aiokafka import ConsumerRecord

from shared.errors import PermanentError, TallymanError, TransientError
from shared.messages.codec import decode
from shared.messages.model import Message, context_of
from shared.observability.logs import at_work, log_of
from shared.observability.tracing import Failed, spanned
from shared.pipeline.dead_letters import REASON_UNEXPECTED, frames
from shared.pipeline.dispatch import Dispatch
from shared.pipeline.outputs import BrokerRefused, Outputs
from shared.pipeline.retries import backoff_seconds
from shared.pipeline.salvage import salvage
from shared.pipeline.stage import Stage, StageStats, StageStopped
from shared.pipeline.suspects import Suspects
from shared.pipeline.work import Holding, Work
from shared.settings import Settings

M = TypeVar("M", bound=Message)

_LAST_CALL_SECONDS = 5.0
"""What cancelled work gets to let go. It is only waited for so that nobody else starts on its messages too early."""


class Workbench(Generic[M]):
    """Works a stage's messages.

    first_backoff: seconds before a message's second try.
    chance: a random number in [0, 1), for jitter.
    failed: ends with the error for which the stage cannot go on: StageStopped, BrokerRefused, or a fault of the loop.
    """

    def __init__(
        self,
        stage: Stage[M],
        outputs: Outputs,
        settings: Settings,
        *,
        stats: StageStats,
        first_backoff: float,
        chance: Callable[[], float],
    ) -> None:
        self._stage = stage
        self._outputs = outputs
        self._attempts = settings.attempts
        self._stats = stats
        self._first_backoff = first_backoff
        self._chance = chance
        self._log = log_of(stage.name)
        self._span = f"{stage.name} {stage.source.name}"
        self._dispatch: Dispatch[Work] = Dispatch(settings.stage_concurrency, settings.registry_concurrency)
        self._suspects: Suspects[Work] = Suspects(settings.errors_in_a_row)
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def fail(self, error: BaseException) -> None:
        """End the stage with this error; the first one counts."""
        if not self.failed.done():
            self.failed.set_exception(error)

    def receive(self, record: ConsumerRecord, holding: Holding) -> None:
        """Take a message in; `start` begins it when its turn has come."""
        holding.tracker.received(record.offset)
        self._stats.received += 1
        self._stats.waiting += 1
        try:
            message = self._decode(record)
        except PermanentError as error:
            work = Work(record, holding, ("unreadable", record.partition, record.offset), "", unreadable=error)
        else:
            context = context_of(message)
            order, registry = self._stage.order(message), self._stage.registry(message)
            work = Work(record, holding, order, registry, context.scan if context else None)
        self._dispatch.add(work)

    def start(self) -> None:
        """Begin whatever may begin now."""
        while not self.failed.done() and (work := self._dispatch.take()):
            task = asyncio.create_task(self._work(work))
            work.holding.at_work.add(task)
            task.add_done_callback(work.holding.at_work.discard)

    async def drain(self, holdings: Collection[Holding], seconds: float) -> None:
        """Start nothing more of these partitions, and return when nothing of them is at work.

        What is not over within `seconds` is cancelled: it is not done, and will be delivered again.
        """
        self._close(holdings)
        await _wait(_tasks(holdings), seconds)
        if late := len(_tasks(holdings)):
            self._log.warning("drain deadline passed, work cancelled", messages=late, seconds=seconds)
            await self.cancel(holdings)
        self._suspects.forget(_of_closed)

    async def cancel(self, holdings: Collection[Holding]) -> None:
        """Start nothing more of these partitions, cancel what is at work, and give it a moment to let go."""
        self._close(holdings)
        tasks = _tasks(holdings)
        for task in tasks:
            task.cancel()
        await _wait(tasks, _LAST_CALL_SECONDS)
        if stuck := sum(not task.done() for task in tasks):
            self._log.error("cancelled work does not end", messages=stuck)

    def _close(self, holdings: Collection[Holding]) -> None:
        for holding in holdings:
            holding.closed = True
        self._stats.waiting -= self._dispatch.forget(_of_closed)

    def _decode(self, record: ConsumerRecord) -> M:
        return decode(self._stage.source.message, record.value, record.offset)

    async def _work(self, work: Work) -> None:
        self._stats.waiting -= 1
        self._stats.working += 1
        rests = False
        try:
            with at_work(**work.told()), spanned(self._span, [work.record.headers], work.place()) as failed:
                rests = await self._worked(work, failed)
        except Exception as error:  # noqa: BLE001  # whatever it is, it must end the stage, not vanish with its task
            self.fail(error)
        finally:
            self._stats.working -= 1
            if not rests:
                self._dispatch.finish(work)
            self.start()

    async def _worked(self, work: Work, failed: Failed) -> bool:
        """Try the message; return whether it rests until it is tried again.  failed: told why it was not worked."""
        try:
            if work.unreadable:
                raise work.unreadable
            await self._handle(self._decode(work.record))
        except TransientError as error:
            failed(error)
            return await self._tried(work, error)
        except BrokerRefused:
            raise
        except TallymanError as error:
            failed(error)
            await self._give_up(work, error, error)
        except Exception as error:  # noqa: BLE001  # the worker loop's one broad except: a bug of ours
            failed(error)
            self._suspect(work, error)
        else:
            work.done()
            self._stats.succeeded += 1
            self._log.debug("message worked")
            await self._convict()
        return False

    async def _handle(self, message: M) -> None:
        begun = time.perf_counter()
        messages = self._stage.handle(message)
        try:
            await self._outputs.deliver(messages)
        finally:
            if isinstance(messages, AsyncGenerator):
                await messages.aclose()  # at once, not when the garbage is collected: it may hold a request open
            self._stats.handler_seconds += time.perf_counter() - begun

    async def _tried(self, work: Work, error: TransientError) -> bool:
        work.failures += 1
        if work.failures >= self._attempts and not error.waits:
            await self._give_up(work, error, error)
            return False
        if work.holding.closed:
            return False
        seconds = backoff_seconds(self._first_backoff, work.failures, error.retry_after_seconds, self._chance())
        self._log.warning("message failed, trying again", reason=error.reason, error=error, seconds=round(seconds, 1))
        self._stats.retried += 1
        self._stats.waiting += 1
        self._dispatch.rest(work)
        asyncio.get_running_loop().call_later(seconds, self._wake, work)
        return True

    def _wake(self, work: Work) -> None:
        self._dispatch.wake(work)
        self.start()

    def _suspect(self, work: Work, error: Exception) -> None:
        self._stats.suspected += 1
        self._log.error("unexpected error", error=type(error).__name__, traceback=frames(error))
        if not work.holding.closed and self._suspects.hold(work, error):
            self.fail(StageStopped(self._stage.name, self._suspects.most, error))

    async def _convict(self) -> None:
        if self.failed.done():
            return  # too late for them: the stage is stopping with none of them committed
        for suspect, error in self._suspects.convict():
            sentence = f"The stage {self._stage.name} met an unexpected error ({type(error).__name__})."
            await self._give_up(suspect, PermanentError(sentence, reason=REASON_UNEXPECTED), error)

    async def _give_up(self, work: Work, told: TallymanError, error: Exception) -> None:
        """Tell downstream, write the dead letter, and be done. told: for people.  error: for the letter."""
        self._log.warning("message given up", reason=told.reason, error=told)
        try:
            await self._outputs.deliver_all(self._instead(work, told))
        except BrokerRefused:
            raise
        except Exception as further:  # noqa: BLE001  # giving up must not fail: the dead letter still tells
            self._log.error("giving up failed", error=type(further).__name__, traceback=frames(further))
        await self._outputs.bury(work.record, error)
        work.done()
        self._stats.given_up += 1

    def _instead(self, work: Work, error: TallymanError) -> Iterable[Message]:
        if work.unreadable is None:
            return self._stage.give_up(self._decode(work.record), error)
        whose = salvage(work.record.value)
        return self._stage.unreadable(*whose, error) if whose else ()


def _of_closed(work: Work) -> bool:
    return work.holding.closed


def _tasks(holdings: Iterable[Holding]) -> list[asyncio.Task[None]]:
    return [task for holding in holdings for task in holding.at_work]


async def _wait(tasks: Collection[asyncio.Task[None]], seconds: float) -> None:
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
