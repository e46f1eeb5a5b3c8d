"""`tallyman connection`."""

from typing import Annotated, Any

import typer

from tallyman.cli.app import app, finish, read_password, settings_of
from tallyman.cli.arguments import Data, Form, Json, Name, PasswordStdin
from tallyman.options import with_connection_options
from tallyman.output import Format

connection_app = typer.Typer(no_args_is_help=True, help="Connect registries, test, edit and delete connections.")
app.add_typer(connection_app, name="connection")


@connection_app.command("add")
@with_connection_options(leave_out=frozenset({"name"}))
def add_connection(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    host: Annotated[str, typer.Argument(help="The registry with its protocol, https://registry.example.com.")],
    settings: dict[str, Any],
    password_stdin: PasswordStdin = False,
    test: Annotated[bool, typer.Option("--test", help="Test it instead of saving it.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Connect a registry. Nothing is asked of it yet: `--test` first, or `tallyman connection test` after."""
    from tallyman.commands import connection as command

    password = read_password() if password_stdin else None
    wanted = {"name": name, "host": host, **settings}
    work = command.test_draft if test else command.add
    finish(work(settings_of(data), wanted, password, as_json=as_json))


@connection_app.command("list")
def list_connections(form: Form = Format.TABLE, data: Data = None) -> None:
    """List the connections, with status and last scan."""
    from tallyman.commands import connection as command

    finish(command.list_all(settings_of(data), form))


@connection_app.command("show")
def show_connection(name: Name, data: Data = None, as_json: Json = False) -> None:
    """Show one connection. Passwords are never shown."""
    from tallyman.commands import connection as command

    finish(command.show(settings_of(data), name, as_json=as_json))


@connection_app.command("edit")
@with_connection_options(leave_out=frozenset({"name"}))
def edit_connection(
    connection: Name,
    settings: dict[str, Any],
    name: Annotated[str | None, typer.Option("--name", help="A new name.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="A new host; the password has to be given again.")] = None,
    password_stdin: PasswordStdin = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Change what is given of a connection, and keep the rest. An empty value takes a setting away."""
    from tallyman.commands import connection as command

    given = {"name": name, "host": host}
    wanted = {**settings, **{key: value for key, value in given.items() if value is not None}}
    password = read_password() if password_stdin else None
    finish(command.edit(settings_of(data), connection, wanted, password, as_json=as_json))


@connection_app.command("remove")
def remove_connection(
    name: Name,
    purge: Annotated[bool, typer.Option("--purge", help="Delete its history too, for good.")] = False,
    data: Data = None,
) -> None:
    """Delete a connection and stop its scans. Its history stays, unless --purge is given."""
    from tallyman.commands import connection as command

    finish(command.remove(settings_of(data), name, purge=purge))


@connection_app.command("retry")
def retry_connection(name: Name, data: Data = None) -> None:
    """Let a registry that rejected the sign-in be asked once more with the password that is saved."""
    from tallyman.commands import connection as command

    finish(command.retry(settings_of(data), name))


@connection_app.command("test")
def check_connection(name: Name, data: Data = None, as_json: Json = False) -> None:
    """Try a connection stage by stage; nothing is changed. Exit codes: 0 well, 3 needs a look, 4 failed."""
    from tallyman.commands import connection as command

    finish(command.test(settings_of(data), name, as_json=as_json))
