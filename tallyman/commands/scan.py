"""`tallyman scan`, `cancel` and `status`: loads asked for, followed, confirmed, ended."""

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskProgressColumn, TextColumn

from shared.settings import Settings
from tallyman.api import Api, ApiRefused, open_api
from tallyman.commands.connection import path_of
from tallyman.door import Door
from tallyman.loading import EXIT_OF, NOT_TAKEN_SECONDS, NotTaken
from tallyman.output import Format, each, print_rows

_TICK_SECONDS: Final = 0.5


async def scan(
    settings: Settings, name: str, repository: str | None, *, wait: bool, allow_empty: bool, as_json: bool
) -> int:
    """Ask for a scan; return 0, or with `wait` the exit code of a load.

    Where no service runs, the stages run in this process until the scan has ended.
    """
    is_alone = settings.url is None and settings.kafka is None and not await Door.find(settings.data)
    async with open_api(settings, at_work=is_alone) as api:
        wanted = {"repository": repository, "confirmed": allow_empty}
        asked = await api.send("POST", path_of(name) + "/scans", wanted)
        if not wait and not is_alone:
            sys.stdout.write(json.dumps(asked) + "\n" if as_json else f"Scan {asked['scan_id']} is asked for.\n")
            return 0
        ended = await _followed(api, asked)
    _tell_end(ended, as_json=as_json)
    return EXIT_OF[ended["status"]]


async def confirm(
    settings: Settings, name: str, repositories: Sequence[str], *, wait: bool, show: bool, as_json: bool
) -> int:
    """Let through what a fuse holds back, or with `show` only print it; return 0, with `wait` a load's exit code.

    Where no service runs, the stages run in this process until the scans have ended.
    """
    is_alone = not show and settings.url is None and settings.kafka is None and not await Door.find(settings.data)
    async with open_api(settings, at_work=is_alone) as api:
        if show:
            await _show_held(await api.get(path_of(name) + "/held"), as_json=as_json)
            return 0
        wanted = {"repositories": list(repositories) or None}
        asked = await api.send("POST", path_of(name) + "/held/confirm", wanted)
        if not wait and not is_alone:
            scans = ", ".join(str(one["scan_id"]) for one in asked[:5]) + (" …" if len(asked) > 5 else "")
            sys.stdout.write(json.dumps(asked) + "\n" if as_json else f"Confirmed; asked for the scans {scans}.\n")
            return 0
        ended = [await _followed(api, one) for one in asked]
    for one in ended:
        _tell_end(one, as_json=as_json)
    return max(EXIT_OF[one["status"]] for one in ended)


async def _show_held(held: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(held) + "\n")
        return
    rows = [(one["repository"], one["scan_id"], one["detail"]) for one in held]
    await print_rows(Format.TABLE, ("repository", "scan", "held back"), each(rows))


async def cancel(settings: Settings, name: str, scan: int) -> int:
    """Cancel a running scan; return 0."""
    async with open_api(settings) as api:
        found = await api.get(path_of(name))
        await api.send("POST", f"/scans/{found['id']}/{scan}/cancel")
    sys.stdout.write(f"Scan {scan} of {found['name']} ends now. What was completed stays.\n")
    return 0


async def status(settings: Settings, *, as_json: bool) -> int:
    """Print how the estate stands; return 0."""
    async with open_api(settings) as api:
        summary = await api.get("/summary")
        connections = await api.get("/connections")
    if as_json:
        sys.stdout.write(json.dumps({"summary": summary, "connections": connections}) + "\n")
        return 0
    sys.stdout.write(
        f"{summary['registries']} registries, {summary['repositories']:,} repositories, {summary['tags']:,} tags, "
        f"{summary['images']:,} images; {summary['new_this_week']:,} new this week, "
        f"{summary['running_scans']} scans running.\n\n"
    )
    images = {one["registry_id"]: one["images"] for one in summary["by_registry"]}
    rows = [_status_row(one, images.get(one["id"], 0)) for one in connections]
    await print_rows(Format.TABLE, ("registry", "active", "images", "status", "last scan", "told"), each(rows))
    return 0


async def _followed(api: Api, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the scan once it has ended, its progress shown meanwhile. Raises NotTaken."""
    path = f"/scans/{asked['registry_id']}/{asked['scan_id']}"
    waited = 0.0
    with _progress(asked["registry"]) as tell:
        while True:
            try:
                now: dict[str, Any] = await api.get(path)
            except ApiRefused as error:
                if error.reason != "no_such_scan":
                    raise
                waited += _TICK_SECONDS
                if waited > NOT_TAKEN_SECONDS:
                    raise NotTaken(NOT_TAKEN_SECONDS) from error
            else:
                if now["status"] != "running":
                    return now
                tell(now)
            await asyncio.sleep(_TICK_SECONDS)


@contextmanager
def _progress(name: str) -> Iterator[Any]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda now: None
        return
    columns = (SpinnerColumn(), TextColumn("[bold]{task.description}"), BarColumn(bar_width=24), TaskProgressColumn())
    with Progress(*columns, TextColumn("{task.fields[told]}"), console=console, transient=True) as progress:
        task = progress.add_task(name, total=None, told="")

        def tell(now: dict[str, Any]) -> None:
            told = f"{now['tags']:,} tags, {now['images']:,} images, {now['failed']} not read"
            progress.update(task, total=now["repositories"] or None, completed=now["repositories_done"], told=told)

        yield tell


def _tell_end(ended: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(ended) + "\n")
        return
    sys.stdout.write(
        f"{ended['registry']}: scan {ended['scan_id']} is {ended['status']}: {ended['repositories']:,} repositories, "
        f"{ended['tags']:,} tags, {ended['images']:,} images; {ended['discovered']:,} new, {ended['removed']:,} gone, "
        f"{ended['failed']:,} not read; {ended['requests']:,} requests.\n"
    )


def _status_row(found: dict[str, Any], images: int) -> tuple[Any, ...]:
    status, scan = found["status"], found["last_scan"]
    return (
        found["name"],
        "yes" if found["is_active"] else "no",
        f"{images:,}",
        status["health"] if status else "not tested",
        f"{scan['status']} {scan['started_at'][:16]}" if scan else "never",
        status["told"] if status and status["health"] != "ok" else "",
    )
