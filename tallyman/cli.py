"""The command line, `tallyman`. Exit codes: 0 well, 1 an error, 2 wrong usage or setting, 3 partial, 4 failed.

A command imports what it needs when it runs: broker, store and stages take a second to import, and neither `--help`
nor a question to a running service needs them.
"""

import re
import ssl
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

import typer

from shared.errors import SettingsError, TallymanError
from shared.messages.connection_changed import AuthType, RegistryType
from shared.observability.logs import configure_logs
from shared.pipeline.loop import run_loop
from shared.settings import Settings, load_settings
from tallyman.output import Format

T = TypeVar("T")

EXIT_ERROR: Final = 1
EXIT_USAGE: Final = 2
_WRONG_USAGE: Final = frozenset({"settings", "connection_invalid", "name_taken", "ambiguous", "sql_not_read_only"})
"""Reasons of errors that whoever typed the command can make go away; a service that refuses passes its own on."""

_CERTIFICATE: Final = re.compile("-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
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
Registry = Annotated[str | None, typer.Option("--registry", metavar="NAME", help="Only this registry.")]
Repository = Annotated[
    str | None, typer.Option("--repository", metavar="GLOB", help="Only repositories like this; * and ? as in a shell.")
]


Include = Annotated[
    list[str] | None, typer.Option("--include", metavar="PATTERN", help="Only repositories like this; repeat for more.")
]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="PATTERN", help="No repositories like this; wins over --include."),
]
IncludeTags = Annotated[list[str] | None, typer.Option("--include-tag", metavar="PATTERN", help="Only tags like this.")]
ExcludeTags = Annotated[
    list[str] | None,
    typer.Option("--exclude-tag", metavar="PATTERN", help="No tags like this; wins over --include-tag."),
]
Architecture = Annotated[str | None, typer.Option("--architecture", metavar="ARCH", help="Only this one, as amd64.")]


@app.command()
def run(
    data: Data = None,
    listen: Annotated[
        str | None, typer.Option("--listen", metavar="HOST:PORT", help="Serve health and status over HTTP there too.")
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
def load(
    host: Annotated[str, typer.Argument(help="The registry with its protocol, https://registry.example.com.")],
    name: Annotated[str | None, typer.Option(help="What to call it. [default: its host name]")] = None,
    product: Annotated[
        RegistryType | None, typer.Option("--type", help="The product it is; auto finds out. [default: auto]")
    ] = None,
    auth: Annotated[
        AuthType | None, typer.Option(help="How to sign in; bearer shows the password to the registry's token service.")
    ] = None,
    username: Annotated[str | None, typer.Option(help="User name.")] = None,
    password_stdin: Annotated[
        bool,
        typer.Option(
            "--password-stdin", help="Read the password from standard input, so that no list of processes shows it."
        ),
    ] = False,
    page_size: Annotated[int | None, typer.Option(help="Entries asked of a catalog or tag page.")] = None,
    max_connections: Annotated[int | None, typer.Option(help="Connections open at once, at most.")] = None,
    max_rps: Annotated[int | None, typer.Option(help="Requests in any one second, at most.")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Do not check the registry's certificate. --ca is safer.")
    ] = False,
    ca: Annotated[
        Path | None, typer.Option(metavar="FILE", help="PEM file of the CA to trust for this registry.")
    ] = None,
    repositories: Annotated[
        list[str] | None,
        typer.Option("--repository", metavar="NAME", help="Load this one instead of the catalog's; repeat for more."),
    ] = None,
    include: Include = None,
    exclude: Exclude = None,
    include_tags: IncludeTags = None,
    exclude_tags: ExcludeTags = None,
    newest_tags: Annotated[
        int | None,
        typer.Option(help="So many tags of a repository, the newest, where the product tells dates; 0 = all."),
    ] = None,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Believe it when most of the tags or repositories are gone.")
    ] = False,
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")] = False,
) -> None:
    """Load a registry once. Loading the same host again is a second scan of the same registry.

    Settings that are left out keep the value they had; an empty one, as --include "", takes a list away. A pattern is
    as in a shell, or re:EXPRESSION, and fits whole names; `*` fits slashes too. What filters leave out is neither
    present nor absent. Exit codes: 0 complete, 3 partial, 4 failed, 2 wrong usage.
    """
    from tallyman.commands import load as command

    wanted = command.connection_settings(
        name=name,
        type=product,
        auth_type=auth,
        username=username,
        page_size=page_size,
        max_connections=max_connections,
        max_keepalive_connections=max_connections,
        max_rps=max_rps,
        repositories=_listed(repositories),
        include=_listed(include),
        exclude=_listed(exclude),
        include_tags=_listed(include_tags),
        exclude_tags=_listed(exclude_tags),
        **({"newest_tags": newest_tags or None} if newest_tags is not None else {}),
        **trust_settings(insecure, ca),
    )
    password = _read_password() if password_stdin else None
    _finish(command.load(_settings(data), host, wanted, password, allow_empty=allow_empty, as_json=as_json))


@app.command()
def plan(
    name: Annotated[str, typer.Argument(help="The connection's name, or its host.")],
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on one line.")] = False,
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


@app.command()
def events(
    form: Annotated[Format, typer.Option("--format", help="table or jsonl.")] = Format.TABLE,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with events as they come, until Ctrl-C.")] = False,
    data: Data = None,
) -> None:
    """Show the events from the beginning to the end."""
    from tallyman.commands import events as command

    if form is Format.CSV:
        raise typer.BadParameter("events are printed as table or jsonl", param_hint="--format")
    _finish(command.events(_settings(data), form, follow=follow))


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One read-only statement.")],
    form: Form = Format.TABLE,
    data: Data = None,
) -> None:
    """Ask the inventory in SQL: `tallyman sql "SELECT architecture, count() FROM current_images GROUP BY 1"`."""
    from tallyman.commands import inventory as command

    _finish(command.sql(_settings(data), statement, form))


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


def trust_settings(insecure: bool, ca: Path | None) -> dict[str, Any]:
    """Return how the certificate is checked from now on; nothing, where neither option is given.

    One choice undoes the other, whichever was made in an earlier load.
    """
    if insecure and ca:
        raise typer.BadParameter("--insecure checks no certificate: leave --ca out, or --insecure", param_hint="--ca")
    if insecure:
        return {"skip_tls_verification": True, "ca": None}
    return {"skip_tls_verification": False, "ca": _read_ca(ca)} if ca else {}


def _listed(words: list[str] | None) -> tuple[str, ...] | None:
    """Return the words of a repeated option, None where it was not given; empty ones say that there are none."""
    return tuple(word for word in words if word) if words else None


def _read_ca(path: Path) -> str:
    """Return the certificates in the file, without the comments that bundles have between them."""
    try:
        found = "\n".join(_CERTIFICATE.findall(path.read_text(encoding="utf-8")))
        ssl.create_default_context().load_verify_locations(cadata=found)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        raise typer.BadParameter(f"{path} is not a readable file of PEM certificates", param_hint="--ca") from error
    return found


def _read_password() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise typer.BadParameter("nothing came on standard input", param_hint="--password-stdin")
    return password
