"""`python -m benchmarks`: measure, print the table, and write it into the README where asked."""

import os
from typing import Annotated, Final

import typer

from benchmarks.distribution import filled_registry
from benchmarks.report import machine_told, report, write
from benchmarks.rounds import Round, Rounds, loads, one_round

_QUICK: Final = (20, 500, 1)


def main(
    repositories: Annotated[int, typer.Option(help="Repositories of the generated registry.")] = 200,
    tags: Annotated[int, typer.Option(help="Its tags.")] = 10_000,
    runs: Annotated[int, typer.Option(help="Rounds; the table shows medians.")] = 3,
    connections: Annotated[int, typer.Option(help="Connections each subject may open.")] = 32,
    quick: Annotated[bool, typer.Option("--quick", help="20 repositories, 500 tags, one round.")] = False,
    keep: Annotated[bool, typer.Option("--write", help="Put the table into benchmarks/README.md.")] = False,
) -> None:
    """Load a generated registry with Tallyman, and beside it with loops that only fetch."""
    if quick:
        repositories, tags, runs = _QUICK
    before = os.getloadavg()
    with filled_registry(repositories // 10, tags // 10) as registry:
        small = Rounds([_told(number, loads(registry, connections)) for number in range(runs)])
    with filled_registry(repositories, tags) as registry:
        large = Rounds([_told(number, one_round(registry, connections)) for number in range(runs)])
    text = report(large, small, machine_told(before))
    typer.echo(f"\n{text}")
    if failed := (large.statuses() | small.statuses()) - {"complete"}:
        typer.echo(f"Not every subject read everything ({', '.join(failed)}): these numbers say nothing.", err=True)
        raise typer.Exit(1)
    if keep:
        write(text)


def _told(number: int, costs: Round) -> Round:
    """Say how a round went, for who waits."""
    for name, cost in costs.items():
        typer.echo(f"round {number + 1}: {name}: {cost.seconds:.1f} s, {cost.cpu:.1f} CPU s", err=True)
    return costs


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(main)
    app()
