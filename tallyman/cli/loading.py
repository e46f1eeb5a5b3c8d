"""`tallyman run`, `load` and `plan`."""

from typing import Annotated, Any, cast

import typer

from shared.connections.rules import ConnectionSettings
from tallyman.cli.app import app, finish, read_password, settings_of
from tallyman.cli.arguments import Data, Json, PasswordStdin
from tallyman.options import with_connection_options


@app.command()
def run(
    data: Data = None,
    listen: Annotated[
        str | None,
        typer.Option("--listen", metavar="HOST:PORT", help="Where the console listens. [default: 127.0.0.1:8321]"),
    ] = None,
    load: Annotated[
        str | None,
        typer.Option(
            "--load",
            metavar="sample|HOST",
            help="Load this registry first: `sample` is a bundled one; user name and password from "
            "TALLYMAN_USERNAME and TALLYMAN_PASSWORD.",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="With --load: stop after the summary, with load's exit code.")
    ] = False,
) -> None:
    """Run all services until Ctrl-C."""
    from tallyman.commands import run as command

    finish(command.run(settings_of(data), listen, load, once=once))


@app.command()
@with_connection_options()
def load(
    host: Annotated[str, typer.Argument(help="The registry with its protocol, https://registry.example.com.")],
    settings: dict[str, Any],
    password_stdin: PasswordStdin = False,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Believe it when most of the tags or repositories are gone.")
    ] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Load a registry once. Loading the same host again is a second scan of the same registry.

    Settings that are left out keep the value they had; an empty one, as --include "", takes a list away. A pattern is
    as in a shell, or re:EXPRESSION, and fits whole names; `*` fits slashes too. What filters leave out is neither
    present nor absent. Exit codes: 0 complete, 3 partial, 4 failed, 2 wrong usage.
    """
    from tallyman.commands import load as command

    password = read_password() if password_stdin else None
    wanted = cast(ConnectionSettings, settings)
    finish(command.load(settings_of(data), host, wanted, password, allow_empty=allow_empty, as_json=as_json))


@app.command()
def plan(
    name: Annotated[str, typer.Argument(help="The connection's name, or its host.")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Say which way a registry will be read, why, and how many requests that takes. Starts no scan.

    It may ask the registry a few questions, to see which product it is.
    """
    from tallyman.commands import plan as command

    finish(command.plan(settings_of(data), name, as_json=as_json))
