"""`tallyman events`, `triggers` and `trigger`: what was told."""

from typing import Annotated

import typer

from tallyman.cli.app import app, finish, settings_of
from tallyman.cli.arguments import Data, Json
from tallyman.output import Format

EventForm = Annotated[Format, typer.Option("--format", help="table or jsonl.")]
Follow = Annotated[bool, typer.Option("--follow", help="Show those that come from now on, until Ctrl-C.")]
FromBeginning = Annotated[
    bool, typer.Option("--from-beginning", help="With --follow: those that were told before first.")
]


@app.command()
def events(
    form: EventForm = Format.TABLE,
    follow: Follow = False,
    from_beginning: FromBeginning = False,
    kinds: Annotated[
        list[str] | None,
        typer.Option(
            "--type", metavar="TYPE", help="Only these, as tag.moved, or tag for all of tags; may be repeated."
        ),
    ] = None,
    data: Data = None,
) -> None:
    """Show the events that were told, or with --follow those that come."""
    from tallyman.commands import events as command
    from tallyman.commands.events import is_kind

    _check_form(form)
    if unknown := [kind for kind in kinds or () if not is_kind(kind)]:
        raise typer.BadParameter(f"no event is of the type {unknown[0]}", param_hint="--type")
    finish(command.events(settings_of(data), form, kinds or (), follow=follow, from_beginning=from_beginning))


@app.command()
def triggers(
    form: EventForm = Format.TABLE, follow: Follow = False, from_beginning: FromBeginning = False, data: Data = None
) -> None:
    """Show the scan triggers that were sent, or with --follow those that come."""
    from shared.messages.topics import SCAN_TRIGGERS
    from tallyman.commands import events as command

    _check_form(form)
    settings = settings_of(data)
    finish(command.events(settings, form, (), follow=follow, from_beginning=from_beginning, topic=SCAN_TRIGGERS))


@app.command()
def trigger(
    digest: Annotated[str, typer.Argument(help="Of an image or an index, sha256:…")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Send a scan trigger for an image once more, or for each member of an index."""
    from tallyman.commands import trigger as command

    finish(command.trigger(settings_of(data), digest, as_json=as_json))


def _check_form(form: Format) -> None:
    if form is Format.CSV:
        raise typer.BadParameter("events are printed as table or jsonl", param_hint="--format")
