"""`tallyman images`, `tags`, `scans` and `sql`: what is there."""

from typing import Annotated

import typer

from tallyman.cli.app import app, finish, settings_of
from tallyman.cli.arguments import Architecture, Data, Form, Registry, Repository
from tallyman.output import Format


@app.command()
def images(
    registry: Registry = None,
    repository: Repository = None,
    architecture: Architecture = None,
    form: Form = Format.TABLE,
    data: Data = None,
) -> None:
    """Show the images present now."""
    from tallyman.commands import inventory as command

    order = ("registry", "repository", "digest")
    finish(command.show(settings_of(data), "images", form, order, registry, repository, architecture))


@app.command()
def tags(
    registry: Registry = None,
    repository: Repository = None,
    architecture: Architecture = None,
    form: Form = Format.TABLE,
    data: Data = None,
) -> None:
    """Show the tags present now, with what they point to."""
    from tallyman.commands import inventory as command

    order = ("registry", "repository", "tag")
    finish(command.show(settings_of(data), "tags", form, order, registry, repository, architecture))


@app.command()
def scans(registry: Registry = None, form: Form = Format.TABLE, data: Data = None) -> None:
    """Show the scans, the newest first."""
    from tallyman.commands import inventory as command

    finish(command.show(settings_of(data), "scans", form, ("started_at DESC",), registry))


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One read-only statement.")],
    form: Form = Format.TABLE,
    data: Data = None,
) -> None:
    """Ask the inventory in SQL: `tallyman sql "SELECT architecture, count() FROM current_images GROUP BY 1"`."""
    from tallyman.commands import inventory as command

    finish(command.sql(settings_of(data), statement, form))
