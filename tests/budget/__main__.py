"""Runs the proof: `python -m tests.budget --logs DIR [--phase NAME]`. Its last line is one JSON object."""

import argparse
import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.budget.judge import main as judge
from tests.budget.run import WHOLE, run


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.budget", description=__doc__)
    parser.add_argument("--phase", choices=[phase.name for phase in WHOLE], action="append", help="only this one")
    parser.add_argument("--logs", type=Path, default=Path("build/budget"), help="where the raw log is kept")
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    logs = arguments.logs.absolute()
    logs.mkdir(parents=True, exist_ok=True)
    phases = [phase for phase in WHOLE if not arguments.phase or phase.name in arguments.phase]
    with TemporaryDirectory(prefix="tallyman-budget-") as folder:
        log = asyncio.run(run(phases, Path(folder), logs))
    return judge(log)


if __name__ == "__main__":
    sys.exit(main())
