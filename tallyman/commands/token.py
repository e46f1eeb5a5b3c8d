"""`tallyman token …`: API tokens."""

import json
import sys

from shared.settings import Settings
from tallyman.api import open_api
from tallyman.output import Format, each, print_rows


async def create(settings: Settings, name: str, *, admin: bool, as_json: bool) -> int:
    """Make a token and print it, this once; return 0."""
    async with open_api(settings) as api:
        made = await api.send("POST", "/tokens", {"name": name, "role": "admin" if admin else "reader"})
    if as_json:
        sys.stdout.write(json.dumps(made) + "\n")
        return 0
    sys.stdout.write(made["token"] + "\n")
    sys.stderr.write(f"Token {name}, role {made['role']}: it is shown this once. Authorization: Bearer …\n")
    return 0


async def list_all(settings: Settings) -> int:
    """Print the tokens without their secrets; return 0."""
    async with open_api(settings) as api:
        found = await api.get("/tokens")
    rows = [(one["name"], one["role"], one["made_at"][:16], one["id"]) for one in found]
    await print_rows(Format.TABLE, ("name", "role", "made", "id"), each(rows))
    return 0


async def remove(settings: Settings, name: str) -> int:
    """Take a token back; return 0."""
    async with open_api(settings) as api:
        await api.send("DELETE", f"/tokens/{name}")
    sys.stderr.write(f"Token {name} is taken back.\n")
    return 0
