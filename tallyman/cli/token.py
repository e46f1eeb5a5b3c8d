"""`tallyman token`."""

from typing import Annotated

import typer

from tallyman.cli.app import app, finish, settings_of
from tallyman.cli.arguments import Data, Json

token_app = typer.Typer(no_args_is_help=True, help="API tokens: made, listed, taken back.")
app.add_typer(token_app, name="token")


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    admin: Annotated[bool, typer.Option("--admin", help="It may change things; else it only reads.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make an API token. It is shown once and kept as a hash."""
    from tallyman.commands import token as command

    finish(command.create(settings_of(data), name, admin=admin, as_json=as_json))


@token_app.command("list")
def list_tokens(data: Data = None) -> None:
    """List the tokens, without their secrets."""
    from tallyman.commands import token as command

    finish(command.list_all(settings_of(data)))


@token_app.command("remove")
def remove_token(name: Annotated[str, typer.Argument(help="Its name or id.")], data: Data = None) -> None:
    """Take a token back: it lets nobody in from then on."""
    from tallyman.commands import token as command

    finish(command.remove(settings_of(data), name))
