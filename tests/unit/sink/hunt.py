"""Looks for a seed that breaks a promise of the sink (see README.md beside).

    python -m tests.unit.sink.hunt RUNS [FIRST_SEED]

prints what was found in both weathers; nothing is the answer wanted.
"""

import sys
import traceback
from dataclasses import dataclass

from tests.unit.sink.world.scheduler import RIGHT, Variant
from tests.unit.sink.world.story import live
from tests.unit.sink.world.told import Broken


@dataclass(frozen=True)
class Found:
    """A broken promise and how to see it again."""

    seed: int
    rough: bool
    what: str


def look(seed: int, *, rough: bool, variant: Variant = RIGHT) -> Found | None:
    """Live one world and return what broke in it; an error of the sink's own breaks it too."""
    try:
        live(seed, rough=rough, variant=variant)
    except Broken as broken:
        return Found(seed, rough, str(broken))
    except Exception:  # noqa: BLE001 - whatever the rules raise here is a find
        return Found(seed, rough, traceback.format_exc())
    return None


def main(runs: int, first: int = 0) -> int:
    finds = 0
    for rough in (False, True):
        found = [find for seed in range(first, first + runs) if (find := look(seed, rough=rough))]
        finds += len(found)
        weather = "rough" if rough else "quiet"
        print(f"{weather}: {runs} runs from seed {first}: {len(found) or 'nothing'} found", flush=True)
        for find in found[:10]:
            print(f"  seed {find.seed}: {find.what[:2000]}", flush=True)
    return 1 if finds else 0


if __name__ == "__main__":
    raise SystemExit(main(*map(int, sys.argv[1:3])))
