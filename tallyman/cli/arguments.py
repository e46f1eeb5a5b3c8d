"""Arguments and options that several commands have."""

from pathlib import Path
from typing import Annotated

import typer

from tallyman.output import Format

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
