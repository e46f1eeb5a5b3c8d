"""Full loads stretch while webhooks prove complete, and shrink once one found what no hook told."""

from collections.abc import Sequence

import pytest

from services.sweeps import LONGEST, Stretches, stretch
from shared.connections.records import Noted
from shared.connections.snapshot import ConnectionsSnapshot
from shared.messages.connection_notes import HookSecretSet
from shared.store.scan_reads import Sweep
from tests.unit.sink.samples import BEGINNING, REGISTRY

CLEAN = Sweep(9, "complete", changes=0, hooks=3)
QUIET = Sweep(9, "complete", changes=0, hooks=0)
DRIFT = Sweep(9, "complete", changes=1, hooks=3)
PARTIAL = Sweep(9, "partial", changes=0, hooks=3)


@pytest.mark.parametrize(
    ("sweeps", "intervals"),
    [
        ([], 1),
        ([CLEAN], 2),
        ([CLEAN, CLEAN], 4),
        ([CLEAN] * 6, LONGEST),
        ([DRIFT, CLEAN, CLEAN], 1),
        ([CLEAN, DRIFT, CLEAN], 2),
        ([PARTIAL, CLEAN], 1),
        ([QUIET, QUIET], 1),
        ([QUIET, CLEAN, QUIET, CLEAN], 4),
    ],
)
def test_loads_are_so_many_intervals_apart(sweeps: Sequence[Sweep], intervals: int) -> None:
    assert stretch(sweeps) == intervals


class Store:
    def __init__(self) -> None:
        self.asked = 0

    async def sweeps(self, registry: str, most: int) -> Sequence[Sweep]:
        self.asked += 1
        return [CLEAN]


async def test_a_registry_without_hooks_keeps_its_interval_and_the_store_is_asked_now_and_then() -> None:
    store, clock = Store(), [0.0]
    stretches = Stretches(store, lambda: clock[0])
    note = HookSecretSet(registry=REGISTRY, secret="encrypted", set_at=BEGINNING)
    hooked = ConnectionsSnapshot().after([Noted(1, HookSecretSet.key(REGISTRY), note)])

    async def asked(connections: ConnectionsSnapshot) -> int:
        return await stretches.of(connections, REGISTRY)

    assert await asked(ConnectionsSnapshot()) == 1
    assert [await asked(hooked) for _ in range(3)] == [2, 2, 2]
    assert store.asked == 1
    clock[0] = 61.0
    await asked(hooked)
    assert store.asked == 2
