"""Form, API and command line show the same fields with the same words: they come from one model."""

import asyncio
import html
import re
import subprocess
import sys

from shared.messages.connection_fields import ConnectionFields
from tallyman.options import option_flags
from tests.integration.console.conftest import Console


def squeezed(text: str) -> str:
    return re.sub(r"\W+", "", text)


def printed_help() -> str:
    command = [sys.executable, "-m", "tallyman", "connection", "add", "--help"]
    wide = {"COLUMNS": "400", "NO_COLOR": "1", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=wide).stdout


async def test_each_fields_help_is_in_the_form_the_api_and_the_command(console: Console) -> None:
    async with console.client(console.admin) as client:
        form = html.unescape((await client.get("/registries/new", headers={"accept": "text/html"})).text)
        document = (await client.get("/api/v1/openapi.json")).json()
    printed = await asyncio.to_thread(printed_help)
    fields = document["components"]["schemas"]["ConnectionDraft"]["properties"]
    for name, field in ConnectionFields.model_fields.items():
        told = field.description or ""
        assert fields[name]["description"] == told
        assert fields[name]["title"] == field.title
        assert squeezed(told) in squeezed(form), name
        if name not in ("name", "host"):
            assert squeezed(told) in squeezed(printed), name
    for name, flag in option_flags():
        assert name in ("name", "host") or flag in printed
