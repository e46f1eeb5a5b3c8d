"""The command line, `tallyman`. Exit codes: 0 well, 1 an error, 2 wrong usage or setting, 3 partial, 4 failed.

A command imports what it needs when it runs: broker, store and stages take a second to import, and neither `--help`
nor a question to a running service needs them.
"""

import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar, cast

import typer

from shared.connections.rules import ConnectionSettings
from shared.errors import SettingsError, TallymanError
from shared.observability.logs import configure_logs
from shared.pipeline.loop import run_loop
from shared.settings import Settings, load_settings
from tallyman.default_command import DefaultGroup
from tallyman.options import with_connection_options
from tallyman.output import Format

T = TypeVar("T")

EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
_WRONG_USAGE: Final = frozenset(
    {
        *("settings", "connection_invalid", "name_taken", "token_name_taken", "ambiguous", "sql_not_read_only"),
        *("no_such_connection", "no_such_scan", "no_such_token", "connection_inactive", "request_invalid"),
        *("nothing_held", "no_such_letter", "letter_not_replayable"),
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

Data = Annotated[
    Path | None,
    typer.Option(
        "--data", metavar="DIR", help="Folder of the embedded broker and store. [default: TALLYMAN_DATA, else ./data]"
    ),
]
Form = Annotated[Format, typer.Option("--format", help="How rows are printed.")]
PasswordStdin = Annotated[
    bool,
    typer.Option(
        "--password-stdin", help="Read the password from standard input, so that no list of processes shows it."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")]
Name = Annotated[str, typer.Argument(help="The connection's name or id.")]
Registry = Annotated[str | None, typer.Option("--registry", metavar="NAME", help="Only this registry.")]
Repository = Annotated[
    str | None, typer.Option("--repository", metavar="GLOB", help="Only repositories like this; * and ? as in a shell.")
]


Architecture = Annotated[str | None, typer.Option("--architecture", metavar="ARCH", help="Only this one, as amd64.")]


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

    _finish(command.run(_settings(data), listen, load, once=once))


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

    password = _read_password() if password_stdin else None
    wanted = cast(ConnectionSettings, settings)
    _finish(command.load(_settings(data), host, wanted, password, allow_empty=allow_empty, as_json=as_json))


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

    _finish(command.plan(_settings(data), name, as_json=as_json))


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
    _finish(command.show(_settings(data), "images", form, order, registry, repository, architecture))


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
    _finish(command.show(_settings(data), "tags", form, order, registry, repository, architecture))


@app.command()
def scans(registry: Registry = None, form: Form = Format.TABLE, data: Data = None) -> None:
    """Show the scans, the newest first."""
    from tallyman.commands import inventory as command

    _finish(command.show(_settings(data), "scans", form, ("started_at DESC",), registry))


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

    if form is Format.CSV:
        raise typer.BadParameter("events are printed as table or jsonl", param_hint="--format")
    if unknown := [kind for kind in kinds or () if not is_kind(kind)]:
        raise typer.BadParameter(f"no event is of the type {unknown[0]}", param_hint="--type")
    _finish(command.events(_settings(data), form, kinds or (), follow=follow, from_beginning=from_beginning))


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One read-only statement.")],
    form: Form = Format.TABLE,
    data: Data = None,
) -> None:
    """Ask the inventory in SQL: `tallyman sql "SELECT architecture, count() FROM current_images GROUP BY 1"`."""
    from tallyman.commands import inventory as command

    _finish(command.sql(_settings(data), statement, form))


connection_app = typer.Typer(no_args_is_help=True, help="Connect registries, test, edit and delete connections.")
app.add_typer(connection_app, name="connection")
token_app = typer.Typer(no_args_is_help=True, help="API tokens: made, listed, taken back.")
app.add_typer(token_app, name="token")
scan_app = typer.Typer(
    cls=DefaultGroup,
    no_args_is_help=True,
    help="Load a connected registry again (`tallyman scan NAME`), or confirm what a scan holds back.",
)
app.add_typer(scan_app, name="scan")


letters_app = typer.Typer(no_args_is_help=True, help="Messages that could not be worked: replay them, or drop them.")
app.add_typer(letters_app, name="dead-letters")
secrets_app = typer.Typer(no_args_is_help=True, help="The keys that encrypt the passwords that are kept.")
app.add_typer(secrets_app, name="secrets")


@secrets_app.command("rotate")
def rotate_secrets(data: Data = None) -> None:
    """Encrypt every password with the newest key: the first of TALLYMAN_SECRET_KEY, or a new one in the key file."""
    from tallyman.commands import secrets as command

    _finish(command.rotate(_settings(data)))


@secrets_app.command("drop-old-keys")
def drop_old_keys(data: Data = None) -> None:
    """Drop the old keys, once every running service knows the new one and nothing is encrypted with an old one."""
    from tallyman.commands import secrets as command

    _finish(command.drop(_settings(data)))


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

    password = _read_password() if password_stdin else None
    wanted = {"name": name, "host": host, **settings}
    work = command.test_draft if test else command.add
    _finish(work(_settings(data), wanted, password, as_json=as_json))


@connection_app.command("list")
def list_connections(form: Form = Format.TABLE, data: Data = None) -> None:
    """List the connections, with status and last scan."""
    from tallyman.commands import connection as command

    _finish(command.list_all(_settings(data), form))


@connection_app.command("show")
def show_connection(name: Name, data: Data = None, as_json: Json = False) -> None:
    """Show one connection. Passwords are never shown."""
    from tallyman.commands import connection as command

    _finish(command.show(_settings(data), name, as_json=as_json))


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
    password = _read_password() if password_stdin else None
    _finish(command.edit(_settings(data), connection, wanted, password, as_json=as_json))


@connection_app.command("remove")
def remove_connection(
    name: Name,
    purge: Annotated[bool, typer.Option("--purge", help="Delete its history too, for good.")] = False,
    data: Data = None,
) -> None:
    """Delete a connection and stop its scans. Its history stays, unless --purge is given."""
    from tallyman.commands import connection as command

    _finish(command.remove(_settings(data), name, purge=purge))


@connection_app.command("test")
def check_connection(name: Name, data: Data = None, as_json: Json = False) -> None:
    """Try a connection stage by stage; nothing is changed. Exit codes: 0 well, 3 needs a look, 4 failed."""
    from tallyman.commands import connection as command

    _finish(command.test(_settings(data), name, as_json=as_json))


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

    _finish(command.scan(_settings(data), name, repository, wait=wait, allow_empty=allow_empty, as_json=as_json))


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

    settings = _settings(data)
    _finish(command.confirm(settings, name, repository or (), wait=wait, show=show, as_json=as_json))


@app.command()
def cancel(
    name: Name, number: Annotated[int, typer.Argument(help="The scan's number.", min=0)], data: Data = None
) -> None:
    """Cancel a running scan. What was completed stays."""
    from tallyman.commands import scan as command

    _finish(command.cancel(_settings(data), name, number))


@app.command()
def status(data: Data = None, as_json: Json = False) -> None:
    """Show how the estate stands: registries, their status, their last scans."""
    from tallyman.commands import scan as command

    _finish(command.status(_settings(data), as_json=as_json))


@app.command()
def triggers(
    form: EventForm = Format.TABLE, follow: Follow = False, from_beginning: FromBeginning = False, data: Data = None
) -> None:
    """Show the scan triggers that were sent, or with --follow those that come."""
    from shared.messages.topics import SCAN_TRIGGERS
    from tallyman.commands import events as command

    if form is Format.CSV:
        raise typer.BadParameter("triggers are printed as table or jsonl", param_hint="--format")
    settings = _settings(data)
    _finish(command.events(settings, form, (), follow=follow, from_beginning=from_beginning, topic=SCAN_TRIGGERS))


@app.command()
def trigger(
    digest: Annotated[str, typer.Argument(help="Of an image or an index, sha256:…")],
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Send a scan trigger for an image once more, or for each member of an index."""
    from tallyman.commands import trigger as command

    _finish(command.trigger(_settings(data), digest, as_json=as_json))


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

    _finish(command.list_all(_settings(data), stage, state, form))


@letters_app.command("show")
def show_letter(
    letter: Annotated[str, typer.Argument(help="As in sink-3-17.")],
    raw: Annotated[bool, typer.Option("--raw", help="Print the message's bytes alone.")] = False,
    data: Data = None,
) -> None:
    """Show one with its message, byte for byte."""
    from tallyman.commands import dead_letters as command

    _finish(command.show(_settings(data), letter, raw=raw))


@letters_app.command("replay")
def replay_letters(letters: Letters = None, stage: Stage = None, every: EveryLetter = False, data: Data = None) -> None:
    """Send messages once more, as they came, to where they lay. Each is sent once, however often this is asked."""
    from tallyman.commands import dead_letters as command

    _check_letters(letters, every=every)
    _finish(command.replay(_settings(data), letters or (), stage, every=every))


@letters_app.command("drop")
def drop_letters(letters: Letters = None, stage: Stage = None, every: EveryLetter = False, data: Data = None) -> None:
    """Note that nobody needs them any more: they are no longer listed as open."""
    from tallyman.commands import dead_letters as command

    _check_letters(letters, every=every)
    _finish(command.drop(_settings(data), letters or (), stage, every=every))


def _check_letters(letters: list[str] | None, *, every: bool) -> None:
    if bool(letters) == every:
        raise typer.BadParameter("name the letters, or give --all", param_hint="LETTER")


@token_app.command("create")
def create_token(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    admin: Annotated[bool, typer.Option("--admin", help="It may change things; else it only reads.")] = False,
    data: Data = None,
    as_json: Json = False,
) -> None:
    """Make an API token. It is shown once and kept as a hash."""
    from tallyman.commands import token as command

    _finish(command.create(_settings(data), name, admin=admin, as_json=as_json))


@token_app.command("list")
def list_tokens(data: Data = None) -> None:
    """List the tokens, without their secrets."""
    from tallyman.commands import token as command

    _finish(command.list_all(_settings(data)))


@token_app.command("remove")
def remove_token(name: Annotated[str, typer.Argument(help="Its name or id.")], data: Data = None) -> None:
    """Take a token back: it lets nobody in from then on."""
    from tallyman.commands import token as command

    _finish(command.remove(_settings(data), name))


def main() -> None:
    """Run the command line."""
    app(prog_name="tallyman")


def _settings(data: Path | None) -> Settings:
    try:
        settings = load_settings(**({"data": data} if data is not None else {}))
    except SettingsError as error:
        _fail(error)
    chosen = "log_level" in settings.model_fields_set
    configure_logs(settings.log_level if chosen else _LOG_LEVEL)
    return settings


def _finish(command: Coroutine[Any, Any, int]) -> None:
    """Run a command to its end and leave with its exit code."""
    try:
        code = run_loop(command)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read us has had enough; nothing more to say
        code = 0
    except TallymanError as error:
        _fail(error)
    raise typer.Exit(code)


def _fail(error: TallymanError) -> Any:
    typer.echo(f"tallyman: {error}", err=True)
    raise typer.Exit(EXIT_USAGE if error.reason in _WRONG_USAGE else EXIT_ERROR)


def _read_password() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise typer.BadParameter("nothing came on standard input", param_hint="--password-stdin")
    return password
