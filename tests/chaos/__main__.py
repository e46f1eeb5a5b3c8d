"""Runs it: `python -m tests.chaos --seed 7 --kills 50 --logs DIR`. Its last line is one JSON object."""

import argparse
import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.judge import main as judge
from tests.chaos.run import run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="what happens, and what is killed, follows from it")
    parser.add_argument("--kills", type=int, default=50, help="how many kills there have to be at least")
    parser.add_argument("--logs", type=Path, default=None, help="where the raw logs are kept")
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    logs = (arguments.logs or Path("build/chaos") / f"seed-{arguments.seed}").absolute()
    with TemporaryDirectory(prefix="tallyman-chaos-") as folder:
        asyncio.run(run(arguments.seed, arguments.kills, Path(folder), logs))
    return judge(logs)


if __name__ == "__main__":
    sys.exit(main())
