"""Faust's way to Kafka, with three differences; each of the first two is held by a test that fails without it.

It reads what is committed, and nothing that was aborted. (Faust asks for that only in its exactly-once mode, which
loses output.)

It fetches no event before the table is restored and the streams have their offsets. (Faust's fetcher runs while a
table is restored, on a set of partitions that is changed under it: once that is empty it means all, and events are
taken that nobody works. The service then stands still until its next start.)

Its consumer's thread does not keep a process alive that wants to end.
"""

from collections.abc import Iterable
from typing import Any

from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread, Consumer, Transport
from mode.threads import WorkerThread


class _ThreadOfProcess(WorkerThread):
    """It ends with the process, also where Faust could not stop it."""

    def __init__(self, service: Any, **options: Any) -> None:
        super().__init__(service, **options)
        self.daemon = True


class _CommittedThread(AIOKafkaConsumerThread):
    Worker = _ThreadOfProcess

    def _create_worker_consumer(self, transport: Any) -> Any:
        consumer = super()._create_worker_consumer(transport)
        consumer._isolation_level = "read_committed"  # read when it starts; there is no other way in
        return consumer


class _CommittedConsumer(Consumer):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._resuming: set[Any] = set()
        super().__init__(*arguments, **options)

    def _new_consumer_thread(self) -> AIOKafkaConsumerThread:
        return _CommittedThread(self, loop=self.loop, beacon=self.beacon)

    async def _getmany(self, active_partitions: set[Any] | None, timeout: float) -> Any:
        # A set of its own: Faust changes the one it gives, and to the client an empty one means all partitions.
        return await super()._getmany(active_partitions=set(active_partitions or ()), timeout=timeout)

    def resume_partitions(self, tps: Iterable[Any]) -> None:
        """Note what is to go; all of Faust's callers let the flow go next, once they have sought the offsets."""
        self._resuming.update(tps)

    def pause_partitions(self, tps: Iterable[Any]) -> None:
        """Pause partitions, those that were about to go included."""
        paused = set(tps)
        self._resuming -= paused
        super().pause_partitions(paused)

    def resume_flow(self) -> None:
        """Let the flow go, and the partitions that wait for it."""
        resuming, self._resuming = self._resuming, set()
        super().resume_partitions(resuming)
        super().resume_flow()


class CommittedTransport(Transport):
    """Consumes committed records only, and none before its time."""

    Consumer = _CommittedConsumer
