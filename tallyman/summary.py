"""What a load led to, for a person, and what to do next."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final, TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tallyman.loading import Loaded, Outcome

_FAILURES_SHOWN: Final = 5
_SAYING: Final = {
    "complete": "Everything was read.",
    "cancelled": "It was cancelled. What was completed stays; the rest is kept as it was.",
    "held": "So much would be removed that it is held back: confirm it with tallyman scan confirm, if it is gone.",
    "partial": "Some of it was not read. What was not read is unknown, and kept as it was.",
    "failed": "The registry could not be read. All that was known is kept as it was.",
}


def print_summary(outcome: Outcome, data: Path, out: TextIO | None = None) -> None:
    """Print the numbers of a load, the first reasons for what was not read, and the next commands."""
    console = Console(file=out or sys.stdout, highlight=False)
    loaded = outcome.loaded
    style = {"complete": "green", "partial": "yellow", "held": "yellow", "failed": "red"}.get(loaded.status, "bold")
    console.print(
        f"\n[bold]{loaded.registry}[/bold]: [{style}]{loaded.status}[/{style}] in {loaded.seconds:.1f} s. "
        f"{_SAYING.get(loaded.status, '')}\n"
    )
    if loaded.status != "failed":  # then there are no numbers, and what to do next is in the reason
        console.print(_numbers(loaded))
    _print_failures(console, outcome.failures)
    if loaded.status != "failed":
        _print_next(console, loaded, data)


def _numbers(loaded: Loaded) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right", style="bold")
    table.add_column()
    for number, name in (
        (loaded.repositories, "repositories"),
        (loaded.tags, "tags"),
        (loaded.images, "images (platform manifests, by repository and digest)"),
        (loaded.artifacts, "other artifacts (charts, signatures, SBOMs)"),
        (loaded.discovered, "images discovered by this scan"),
        (loaded.removed, "images removed since the last"),
        (loaded.failed, "not read"),
        (loaded.requests, "requests"),
    ):
        table.add_row(f"{number:,}", name)
    if loaded.tags_out_of_scope:
        table.add_row(f"{loaded.tags_out_of_scope:,}", "tags left out by the connection's filters")
    return table


def _print_failures(console: Console, failures: tuple[str, ...]) -> None:
    if not failures:
        return
    console.print("\nNot read:")
    for sentence in failures[:_FAILURES_SHOWN]:
        console.print(Text(f"  {sentence}"))
    if len(failures) > _FAILURES_SHOWN:
        console.print(f'  … and {len(failures) - _FAILURES_SHOWN} more: tallyman sql "SELECT * FROM scan_failures"')


def _print_next(console: Console, loaded: Loaded, data: Path) -> None:
    where = "" if data == Path("data") else f" --data {data}"
    tallyman = _as_typed()
    console.print("\nNext:")
    for command, meaning in (
        (f"{tallyman} images{where} --registry {loaded.registry}", "what is there"),
        (f"{tallyman} events{where}", "what changed"),
        (f'{tallyman} sql{where} "SELECT architecture, count() FROM current_images GROUP BY 1"', "any question"),
    ):
        console.print(Text(f"  {command}"), Text(f"# {meaning}", style="dim"), soft_wrap=True)


def _as_typed() -> str:
    """Return how to call this command: by its name where a shell finds it, else by its path from here."""
    if shutil.which("tallyman"):
        return "tallyman"
    program = Path(sys.argv[0])
    return os.path.relpath(program) if program.name == "tallyman" else f"{sys.executable} -m tallyman"
