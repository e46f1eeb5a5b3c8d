"""A short form of `make budget-proof`: real services, three a stage, judged by the same judge on the same raw log."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.budget.judge import is_well, judged
from tests.budget.run import Limits, Phase, run
from tests.budget.workers import Workers


async def _some_faults(workers: Workers) -> None:
    await workers.kill_one()
    await asyncio.sleep(4)
    await workers.two_join()
    await asyncio.sleep(4)
    await workers.stop_three_for_a_while(seconds=8)
    await workers.broker_dies()


_PHASES = (
    Phase("calm", [Limits(10, 9), Limits(100, 12)], 25),
    Phase("faults", [Limits(10, 9), Limits(100, 12)], 45, _some_faults),
)
_GOES = 2
"""The limits hold in each; a second one is had for what is used, which a machine that has no time for us lowers."""


@pytest.mark.long
@pytest.mark.timeout(500)
async def test_no_limit_is_passed_and_the_budget_is_used(tmp_path: Path) -> None:
    for go in range(1, _GOES + 1):
        folder = tmp_path / str(go)
        for name in ("logs", "installation"):
            (folder / name).mkdir(parents=True)
        log = await run(_PHASES, folder / "installation", folder / "logs")
        limits = judged(json.loads(line) for line in log.read_text().splitlines())
        assert len(limits) == 4
        for one in limits:
            assert one["most_in_a_second"] <= one["max_rps"], one
            assert one["most_connections"] <= one["max_connections"], one
            assert one["requests"] > one["max_rps"], one
        if all(map(is_well, limits)):
            return
        print(f"go {go}: {limits}")
    pytest.fail(f"{_GOES} goes, and at last {limits}")
