"""`tallyman connection …`: the registries that are connected."""

import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Final
from urllib.parse import quote

from rich.console import Console
from rich.text import Text

from shared.errors import PermanentError
from shared.settings import Settings
from tallyman.api import open_api
from tallyman.output import Format, each, print_rows

EXIT_OF_CHECK: Final = {"ok": 0, "warning": 3, "failed": 4}
_STYLES: Final = {"ok": "green", "warning": "yellow", "failed": "red", "skipped": "dim"}
_COLUMNS: Final = ("name", "type", "host", "active", "status", "last scan", "id")


def path_of(name: str) -> str:
    """Return where the API has a connection of this name or id."""
    return f"/connections/{quote(name, safe='')}"


async def add(settings: Settings, wanted: dict[str, Any], password: str | None, *, as_json: bool) -> int:
    """Connect a registry; return 0."""
    async with open_api(settings) as api:
        made = await api.send("POST", "/connections", {**wanted, **_with(password)})
    _tell_saved(made, as_json=as_json)
    return 0


async def edit(settings: Settings, name: str, wanted: dict[str, Any], password: str | None, *, as_json: bool) -> int:
    """Change what was given of a connection; return 0."""
    if not wanted and password is None:
        raise PermanentError("Say what is to be changed: tallyman connection edit --help.", reason="settings")
    async with open_api(settings) as api:
        known, revision = await api.get_with_revision(path_of(name))
        edited = await api.send(
            "PATCH", path_of(known["id"]), {**wanted, **_with(password)}, headers={"if-match": revision}
        )
    _tell_saved(edited, as_json=as_json)
    return 0


async def retry(settings: Settings, name: str) -> int:
    """Let a registry be asked once more; return 0."""
    async with open_api(settings) as api:
        await api.send("POST", f"{path_of(name)}/retry")
    sys.stdout.write(f"{name} is asked again by its next load, or by: tallyman scan {name}\n")
    return 0


async def list_all(settings: Settings, form: Format) -> int:
    """Print all connections; return 0."""
    async with open_api(settings) as api:
        found = await api.get("/connections")
    if form is Format.JSONL:
        sys.stdout.writelines(json.dumps(one) + "\n" for one in found)
        return 0
    await print_rows(form, _COLUMNS, each(map(_row, found)))
    return 0


async def show(settings: Settings, name: str, *, as_json: bool) -> int:
    """Print one connection; return 0."""
    async with open_api(settings) as api:
        found = await api.get(path_of(name))
    if as_json:
        sys.stdout.write(json.dumps(found) + "\n")
        return 0
    await print_rows(Format.TABLE, ("setting", "value"), each(_settings(found)))
    return 0


async def remove(settings: Settings, name: str, *, purge: bool) -> int:
    """Delete a connection, with its history where that is asked for; return 0.

    Where no service runs, the stages run in this process for a purge: the sink takes back what it had told is present.
    """
    async with open_api(settings, at_work=purge) as api:
        found = await api.get(path_of(name))
        await api.send("DELETE", path_of(found["id"]), purge=str(purge).lower())
    kept = "Its history is gone, too." if purge else "Its history stays: `tallyman sql` can ask for it."
    sys.stderr.write(f"{found['name']} is deleted. {kept}\n")
    return 0


async def test(settings: Settings, name: str, *, as_json: bool) -> int:
    """Check a saved connection stage by stage; return 0 well, 3 needs a look, 4 failed."""
    async with open_api(settings) as api:
        return _report(await api.send("POST", path_of(name) + "/test"), as_json=as_json)


async def test_draft(settings: Settings, wanted: dict[str, Any], password: str | None, *, as_json: bool) -> int:
    """Check a connection that is not saved; return as `test`."""
    async with open_api(settings) as api:
        report = await api.send("POST", "/connections/test", {**wanted, **_with(password)})
    return _report(report, as_json=as_json)


def _report(report: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        sys.stdout.write(json.dumps(report) + "\n")
    else:
        console = Console(highlight=False)
        for stage in report["stages"]:
            console.print(
                Text.assemble(
                    (f"{stage['outcome']:<8}", _STYLES[stage["outcome"]]), f"{stage['title']}: {stage['told']}"
                )
            )
            for label, text in stage["facts"]:
                console.print(Text(f"{'':<10}{label}: {text}", "dim"))
    return EXIT_OF_CHECK[report["health"]]


def _with(password: str | None) -> dict[str, str]:
    return {} if password is None else {"password": password}


def _tell_saved(saved: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(json.dumps(saved) + "\n")
        return
    sys.stderr.writelines(f"tallyman: {told}\n" for told in saved["cautions"].values())
    name = saved["name"]
    sys.stdout.write(
        f"{name} is saved, revision {saved['revision']}. Next: tallyman connection test {name}; tallyman scan {name}\n"
    )


def _row(found: dict[str, Any]) -> Sequence[Any]:
    status, scan = found["status"], found["last_scan"]
    return (
        found["name"],
        found["type"],
        found["host"],
        "yes" if found["is_active"] else "no",
        status["health"] if status else "not tested",
        f"{scan['status']} {scan['started_at'][:16]}" if scan else "never",
        found["id"],
    )


def _settings(found: dict[str, Any]) -> Iterable[Sequence[Any]]:
    for name, value in found.items():
        if isinstance(value, dict):
            yield name, ", ".join(f"{key}: {part}" for key, part in value.items() if part not in (None, ""))
        elif isinstance(value, list):
            yield name, ", ".join(map(str, value))
        else:
            yield name, value
