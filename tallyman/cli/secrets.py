"""`tallyman secrets`."""

import typer

from tallyman.cli.app import app, finish, settings_of
from tallyman.cli.arguments import Data

secrets_app = typer.Typer(no_args_is_help=True, help="The keys that encrypt the passwords that are kept.")
app.add_typer(secrets_app, name="secrets")


@secrets_app.command("rotate")
def rotate_secrets(data: Data = None) -> None:
    """Encrypt every password with the newest key: the first of TALLYMAN_SECRET_KEY, or a new one in the key file."""
    from tallyman.commands import secrets as command

    finish(command.rotate(settings_of(data)))


@secrets_app.command("drop-old-keys")
def drop_old_keys(data: Data = None) -> None:
    """Drop the old keys, once every running service knows the new one and nothing is encrypted with an old one."""
    from tallyman.commands import secrets as command

    finish(command.drop(settings_of(data)))
