"""`tallyman dead-letters`: messages that could not be worked, listed, shown, replayed, dropped."""

import json
import sys
from base64 import b64decode
from collections.abc import Sequence
from typing import Any

from shared.settings import Settings
from tallyman.api import Api, open_api
from tallyman.output import Format, each, print_rows

_COLUMNS = ("name", "state", "given up", "reason", "why", "lay at")


async def list_all(settings: Settings, stage: str | None, state: str, form: Format) -> int:
    """Print the newest letters; return 0.  state: open, replayed, dropped, or all."""
    async with open_api(settings) as api:
        found = await _listed(api, stage, state)
    if form is Format.JSONL:
        sys.stdout.writelines(json.dumps(letter) + "\n" for letter in found)
        return 0
    await print_rows(form, _COLUMNS, each([_row(letter) for letter in found]))
    return 0


async def show(settings: Settings, name: str, *, raw: bool) -> int:
    """Print a letter with its message, or with `raw` the message's bytes alone; return 0."""
    async with open_api(settings) as api:
        letter = await api.get(f"/dead-letters/{name}")
    if raw:
        sys.stdout.buffer.write(b64decode(letter["value"] or ""))
    else:
        sys.stdout.write(json.dumps(letter, indent=2, ensure_ascii=False) + "\n")
    return 0


async def replay(settings: Settings, names: Sequence[str], stage: str | None, *, every: bool) -> int:
    """Send letters' messages once more; return 0. One that was replayed before is passed over."""
    async with open_api(settings) as api:
        for name in await _chosen(api, names, stage, every=every):
            sent = (await api.send("POST", f"/dead-letters/{name}/replay"))["sent"]
            sys.stdout.write(f"{name}: {'sent once more' if sent else 'was replayed before, not sent again'}.\n")
    return 0


async def drop(settings: Settings, names: Sequence[str], stage: str | None, *, every: bool) -> int:
    """Note that nobody needs these letters; return 0."""
    async with open_api(settings) as api:
        for name in await _chosen(api, names, stage, every=every):
            await api.send("POST", f"/dead-letters/{name}/drop")
            sys.stdout.write(f"{name}: dropped.\n")
    return 0


async def _chosen(api: Api, names: Sequence[str], stage: str | None, *, every: bool) -> Sequence[str]:
    """Return the letters that are meant, the oldest first."""
    if not every:
        return names
    return [letter["name"] for letter in reversed(await _listed(api, stage, "open"))]


async def _listed(api: Api, stage: str | None, state: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = await api.get("/dead-letters", stage=stage, state=state)
    return found


def _row(letter: dict[str, Any]) -> tuple[Any, ...]:
    lay_at = f"{letter['topic']} {letter['partition']}/{letter['offset']}"
    written = (letter["written_at"] or "")[:19].replace("T", " ")
    return letter["name"], letter["state"], written, letter["reason"], letter["error"], lay_at
