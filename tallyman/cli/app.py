"""The command line's application: what it calls itself, and how a command is run to its exit code."""

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, Final

import typer

from shared.errors import SettingsError, TallymanError
from shared.observability.logs import configure_logs
from shared.pipeline.loop import run_loop
from shared.settings import Settings, load_settings

EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
_WRONG_USAGE: Final = frozenset(
    {
        *("settings", "connection_invalid", "name_taken", "token_name_taken", "ambiguous", "sql_not_read_only"),
        *("no_such_connection", "no_such_scan", "no_such_token", "connection_inactive", "request_invalid"),
        *("nothing_held", "no_such_letter", "letter_not_replayable", "image_not_served"),
    }
)
"""Reasons of errors that whoever typed the command can make go away; a service that refuses passes its own on."""

_LOG_LEVEL: Final = "warning"
"""A person at a terminal is told of what goes wrong; TALLYMAN_LOG_LEVEL=info tells more."""

app = typer.Typer(
    name="tallyman",
    help="Tallyman keeps count of every container image in every registry you run.\n\n"
    "Start with `tallyman run --load sample`, or load a registry of yours: "
    "`tallyman load https://registry.example.com`. Then ask: `tallyman images`, `tallyman events`, "
    '`tallyman sql "SELECT …"`.\n\n'
    "Exit codes: 0 well, 1 an error, 2 wrong usage or setting, 3 a load that is partial, 4 a load that failed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def settings_of(data: Path | None) -> Settings:
    """Return the settings, the data folder from the command line where one is given; a wrong one ends the process."""
    try:
        settings = load_settings(**({"data": data} if data is not None else {}))
    except SettingsError as error:
        fail(error)
    chosen = "log_level" in settings.model_fields_set
    configure_logs(settings.log_level if chosen else _LOG_LEVEL, settings.log_format)
    return settings


def finish(command: Coroutine[Any, Any, int]) -> None:
    """Run a command to its end and leave with its exit code."""
    try:
        code = run_loop(command)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has had enough; nothing more to say
        code = 0
    except TallymanError as error:
        fail(error)
    raise typer.Exit(code)


def fail(error: TallymanError) -> Any:
    """Tell the error and leave with its exit code."""
    typer.echo(f"tallyman: {error}", err=True)
    raise typer.Exit(EXIT_USAGE if error.reason in _WRONG_USAGE else EXIT_ERROR)


def read_password() -> str:
    """Return the password that standard input gives."""
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise typer.BadParameter("nothing came on standard input", param_hint="--password-stdin")
    return password
