"""The API's document is complete: Schemathesis finds nothing that it does not tell."""

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from tests.contract.source_tree import ROOT
from tests.integration.console.conftest import Console


@pytest.mark.parametrize(
    ("examples", "phases", "seconds"),
    [(4, "examples,fuzzing", 240), pytest.param(12, "examples,coverage,fuzzing,stateful", 900, marks=pytest.mark.long)],
    ids=["short", "long"],
)
async def test_schemathesis_finds_no_failure(
    examples: int, phases: str, seconds: float, console: Console, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    """In a process of its own, since this one serves; its hooks lead every made-up registry to a closed port."""
    seed = pytestconfig.option.seed
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("schemathesis"),
        *("--config-file", ROOT / "tests/support/schemathesis.toml"),
        *("run", f"{console.url}/api/v1/openapi.json", "--max-examples", str(examples)),
        *("--phases", phases, "--seed", str(seed), "--no-color"),
        *("-H", f"Authorization: Bearer {console.admin}"),
        cwd=tmp_path,  # where it leaves what it learned
        env={**os.environ, "SCHEMATHESIS_HOOKS": "tests.support.schemathesis_hooks", "PYTHONPATH": str(ROOT)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(seconds):
        told = (await process.communicate())[0].decode()
    assert process.returncode == 0, told[-6000:]
    tested = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", told)
    assert tested, told[-2000:]
    assert len(set(tested.groups())) == 1, "an operation was not tested"


async def test_every_field_of_a_connection_is_told_with_its_help_and_unit(console: Console) -> None:
    async with console.client(console.reader) as client:
        document = (await client.get("/api/v1/openapi.json")).json()
    fields = document["components"]["schemas"]["ConnectionDraft"]["properties"]
    assert {"name", "host", "max_rps", "password", "ca"} <= fields.keys()
    assert [name for name, told in fields.items() if not (told.get("title") and told.get("description"))] == []
    assert fields["read_timeout_seconds"]["unit"] == "seconds"
    shown = document["components"]["schemas"]["ConnectionShown"]["properties"]
    assert "password" not in shown


async def test_the_documentations_page_needs_nothing_from_elsewhere(console: Console) -> None:
    async with console.client(console.reader) as client:
        page = (await client.get("/api/docs")).text
        paths = re.findall(r'(?:src|href)="([^"]+)"', page)
        assert paths
        for path in paths:
            assert path.startswith("/")
            assert (await client.get(path)).status_code == 200
