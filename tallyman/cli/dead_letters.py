"""`tallyman dead-letters`."""

from typing import Annotated

import typer

from tallyman.cli.app import app, finish, settings_of
from tallyman.cli.arguments import Data, Form
from tallyman.output import Format

letters_app = typer.Typer(no_args_is_help=True, help="Messages that could not be worked: replay them, or drop them.")
app.add_typer(letters_app, name="dead-letters")

Stage = Annotated[
    str | None,
    typer.Option("--stage", metavar="STAGE", help="Only of lister, tagger, manifester, sink, trigger or deliverer."),
]
Letters = Annotated[list[str] | None, typer.Argument(metavar="[LETTER]...", help="As in sink-3-17.")]
EveryLetter = Annotated[bool, typer.Option("--all", help="All that are open.")]


@letters_app.command("list")
def list_letters(
    stage: Stage = None,
    state: Annotated[str, typer.Option("--state", help="open, replayed, dropped or all.")] = "open",
    form: Form = Format.TABLE,
    data: Data = None,
) -> None:
    """List the newest thousand, the newest first."""
    from tallyman.commands import dead_letters as command

    finish(command.list_all(settings_of(data), stage, state, form))


@letters_app.command("show")
def show_letter(
    letter: Annotated[str, typer.Argument(help="As in sink-3-17.")],
    raw: Annotated[bool, typer.Option("--raw", help="Print the message's bytes alone.")] = False,
    data: Data = None,
) -> None:
    """Show one with its message, byte for byte."""
    from tallyman.commands import dead_letters as command

    finish(command.show(settings_of(data), letter, raw=raw))


@letters_app.command("replay")
def replay_letters(letters: Letters = None, stage: Stage = None, every: EveryLetter = False, data: Data = None) -> None:
    """Send messages once more, as they came, to where they lay. Each is sent once, however often this is asked."""
    from tallyman.commands import dead_letters as command

    _check_letters(letters, every=every)
    finish(command.replay(settings_of(data), letters or (), stage, every=every))


@letters_app.command("drop")
def drop_letters(letters: Letters = None, stage: Stage = None, every: EveryLetter = False, data: Data = None) -> None:
    """Note that nobody needs them any more: they are no longer listed as open."""
    from tallyman.commands import dead_letters as command

    _check_letters(letters, every=every)
    finish(command.drop(settings_of(data), letters or (), stage, every=every))


def _check_letters(letters: list[str] | None, *, every: bool) -> None:
    if bool(letters) == every:
        raise typer.BadParameter("name the letters, or give --all", param_hint="LETTER")
