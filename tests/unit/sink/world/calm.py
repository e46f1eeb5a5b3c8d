"""One undisturbed worker over the same log has to say the same: crashes, sleepers and redelivery change nothing."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from services.sink.listings import Listings
from services.sink.ports import Clocks, Outgoing, Received, Work
from services.sink.progress import ScanProgress
from services.sink.registries import ConnectedRegistries
from services.sink.sending import Sending
from services.sink.stalls import Stalls
from shared.messages.topics import IMAGES_OBSERVED
from tests.fakes.sink_store import FakeSinkStore
from tests.unit.sink.samples import Queues, run
from tests.unit.sink.world.log import Publication, Source
from tests.unit.sink.world.scheduler import PARTITIONS, SOURCES, Connections, World
from tests.unit.sink.world.told import Broken, Decided, Ended, parts_of
from tests.unit.sink.world.weather import NEVER

_RANK: Final = re.compile(rb'(?<="snapshot_rank":)\d+')


def check_calm(world: World) -> None:
    """Raise Broken where the world's owners told something that one undisturbed worker does not tell."""
    for source in SOURCES:
        told = list(parts_of(Publication(0, source, tuple(_work_alone(world, source)))))
        if source.topic == IMAGES_OBSERVED.name:
            calm = [_sent(part) for part in told if isinstance(part, Decided) and part.outcome != "skipped"]
            _compare(calm, [_sent(decided) for decided in world.told.decided[source]])
        else:
            _compare(
                [_end(part) for part in told if isinstance(part, Ended)],
                [_end(ended) for ended in world.told.ended.values() if ended.source == source],
            )


def _work_alone(world: World, source: Source) -> list[Outgoing]:
    """Work a partition from its beginning, message by message, with a store of its own."""
    store = FakeSinkStore()
    registries = ConnectedRegistries(Connections(), store, PARTITIONS)
    clocks = Clocks(lambda: datetime(2026, 1, 1, tzinfo=UTC), lambda: 0.0)
    work: Work[Any] = Listings(store, registries, world.weather.fuse, Sending(), clocks)
    if source.topic != IMAGES_OBSERVED.name:
        fuse, stalls = world.weather.fuse, Stalls(NEVER)
        work = ScanProgress(source.partition, store, registries, fuse, Sending(), stalls, Queues(), clocks)
    sent: list[Outgoing] = []
    for record in world.log.all(source):
        sent += run(work.work([Received(source.partition, record.offset, record.message)]))
    return sent


def _sent(decided: Decided) -> list[Outgoing]:
    """Return the records, but for whether a load had ended before: this one worker hears of no ends."""
    told = [_RANK.sub(b"null", _as_if_loaded(record.value)) if record.value else None for record in decided.sent]
    return [replace(record, value=value) for record, value in zip(decided.sent, told, strict=True)]


def _as_if_loaded(value: bytes) -> bytes:
    return value.replace(b'"snapshot":true', b'"snapshot":false')


def _end(ended: Ended) -> tuple[str, int, str, dict[str, Any]]:
    return ended.context.registry, ended.context.scan, ended.status, dict(ended.event.data)


def _compare(calm: Sequence[object], told: Sequence[object]) -> None:
    for alone, disturbed in zip(calm, told, strict=False):
        if alone != disturbed:
            raise Broken(f"not what one undisturbed worker says: {disturbed}, but {alone}")
    if len(calm) != len(told):
        raise Broken(f"an undisturbed worker tells {len(calm)} decisions, not {len(told)}")
