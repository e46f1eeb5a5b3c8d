"""`tallyman backup` and `tallyman restore`."""

from pathlib import Path
from typing import Annotated

import typer

from tallyman.cli.app import app, finish, settings_of
from tallyman.cli.arguments import Data

_Folder = Annotated[Path, typer.Argument(metavar="DIR", help="The backup's folder.")]


@app.command()
def backup(folder: _Folder, data: Data = None) -> None:
    """Write connections, present state and history into a folder. Services on servers may work meanwhile."""
    from tallyman.commands import backup as command

    finish(command.backup(settings_of(data), folder))


@app.command()
def restore(
    folder: _Folder,
    data: Data = None,
    topics_only: Annotated[
        bool, typer.Option("--topics-only", help="Only what lies in Kafka: into topics with more partitions.")
    ] = False,
) -> None:
    """Put a backup back into an empty installation, services stopped."""
    from tallyman.commands import backup as command

    finish(command.restore(settings_of(data), folder, topics_only=topics_only))
