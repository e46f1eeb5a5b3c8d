"""A short form of `make chaos`: a few kills, judged by the same judge on the same raw logs."""

from pathlib import Path
from random import Random

import pytest

from tests.chaos.judge import WRONGS, judged
from tests.chaos.run import run

_KILLS = 8


@pytest.mark.long
@pytest.mark.timeout(400)
async def test_what_is_told_is_the_truth_though_everything_is_killed_now_and_then(
    tmp_path: Path, seeded: Random
) -> None:
    logs = tmp_path / "logs"
    await run(seeded.randrange(1_000_000), _KILLS, tmp_path / "cluster", logs)
    verdict = judged(logs)
    assert {name: verdict[name] for name in WRONGS} == dict.fromkeys(WRONGS, 0), verdict
    assert verdict["kills"] >= _KILLS
    assert verdict["events_expected"] > 200
