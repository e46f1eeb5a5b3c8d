"""A load's live line: what is done, how fast, how long still. On a terminal only; a pipe gets none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from tallyman.following import ScanSeen


@contextmanager
def progress_of(host: str) -> Iterator[Callable[[ScanSeen, float], None]]:
    """Yield what is to be called with a scan as it goes on and the seconds since it was asked for."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda seen, seconds: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("[bold]{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TextColumn("{task.fields[told]}"),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(host, total=None, told="asking for the catalog")

        def tell(seen: ScanSeen, seconds: float) -> None:
            total = len(seen.expected) or None
            done = len(seen.units.keys() & seen.expected)
            progress.update(task, total=total, completed=done, told=told_of(seen, done, seconds))

        yield tell


def told_of(seen: ScanSeen, done: int, seconds: float) -> str:
    """Return the progress in words: repositories, tags, images, requests/s, failures, time left."""
    if not seen.expected:
        return "asking for the catalog" if seen.started else "waiting for the lister"
    counts = seen.counts()
    of = f"{len(seen.expected)}" if seen.catalog_read else f"{len(seen.expected)}+"
    parts = [
        f"{done}/{of} repositories",
        f"{counts.tags} tags",
        f"{counts.images} images",
        f"{counts.requests / max(seconds, 0.1):.0f} requests/s",
    ]
    if counts.failed:
        parts.append(f"[red]{counts.failed} failed[/red]")
    if done and seen.catalog_read:
        parts.append(f"{seconds / done * (len(seen.expected) - done):.0f} s left")
    return ", ".join(parts)
