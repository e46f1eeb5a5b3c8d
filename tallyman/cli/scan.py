"""`tallyman scan`, `cancel` and `status`."""

from typing import Annotated

import typer

from tallyman.cli.app import app, finish, settings_of
from tallyman.cli.arguments import Data, Json, Name
from tallyman.default_command import DefaultGroup

scan_app = typer.Typer(
    cls=DefaultGroup,
    no_args_is_help=True,
    help="Load a connected registry again (`tallyman scan NAME`), or confirm what a scan holds back.",
)
app.add_typer(scan_app, name="scan")


@scan_app.command("start")
def scan(
    name: Name,
    repository: Annotated[str | None, typer.Option("--repository", metavar="NAME", help="Only this one.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end, with load's exit codes.")] = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Believe it when most of the tags or repositories are gone.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Load a connected registry again, or one repository of it. Without a running service it always waits."""
    from tallyman.commands import scan as command

    finish(command.scan(settings_of(data), name, repository, wait=wait, allow_empty=allow_empty, as_json=as_json))


@scan_app.command("confirm")
def confirm_scan(
    name: Name,
    repository: Annotated[
        list[str] | None,
        typer.Option("--repository", metavar="NAME", help="Only this one; may be given several times."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Only show what waits; change nothing.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end, with load's exit codes.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Confirm removals that were too many to be believed: each repository is scanned once more with its fuse off."""
    from tallyman.commands import scan as command

    settings = settings_of(data)
    finish(command.confirm(settings, name, repository or (), wait=wait, show=show, as_json=as_json))


@app.command()
def cancel(
    name: Name, number: Annotated[int, typer.Argument(help="The scan's number.", min=0)], data: Data = None
) -> None:
    """Cancel a running scan. What was completed stays."""
    from tallyman.commands import scan as command

    finish(command.cancel(settings_of(data), name, number))


@app.command()
def status(data: Data = None, as_json: Json = False) -> None:
    """Show how the estate stands: registries, their status, their last scans."""
    from tallyman.commands import scan as command

    finish(command.status(settings_of(data), as_json=as_json))
