"""What a person is told of how a registry is read, and what filters leave out of it."""

from pathlib import Path

import pytest

from tests.e2e.agreement import without_times
from tests.e2e.tallyman_commands import Tallyman
from tests.fakes.harbor.server import harbor_server
from tests.fakes.product.guards import PASSWORD, USERNAME
from tests.fakes.product.registry_v2 import V2_KINDS
from tests.support.generator import Estate, generate


@pytest.fixture
def estate() -> Estate:
    return generate(seed=7, repositories=6, tags=120, kinds=V2_KINDS)


async def test_the_plan_says_which_way_why_and_what_it_costs_and_the_scan_what_it_took(
    tallyman: Tallyman, estate: Estate
) -> None:
    async with harbor_server(estate) as server:
        load = ("load", server.url, "--name", "planned-1", "--username", USERNAME, "--password-stdin", "--json")
        await tallyman(*load, stdin=PASSWORD)
        second = (await tallyman(*load, stdin=PASSWORD)).objects()[0]
        told = (await tallyman("plan", "planned-1")).out
        (plan,) = (await tallyman("plan", server.url, "--json")).objects()
    assert "is read as Harbor: its challenge names the service harbor-registry." in told
    assert "artifacts, a hundred a page" in told
    assert f"({second['scan_id']}, complete) took {second['requests']}, with them." in told
    assert [step["stage"] for step in plan["plan"]["steps"]] == ["lister", "tagger", "manifester"]
    # The probe, once a process, and the one repository without tags, asked twice, come on top.
    assert plan["requests"] <= second["requests"] <= plan["requests"] + 3
    assert PASSWORD not in "".join(tallyman.said)


async def test_an_unknown_connection_is_told_with_those_that_there_are(tallyman: Tallyman, estate: Estate) -> None:
    async with harbor_server(estate) as server:
        await tallyman(
            "load", server.url, "--name", "planned-2", "--username", USERNAME, "--password-stdin", stdin=PASSWORD
        )
    assert "There is no connection dev. There is: " in (await tallyman("plan", "dev", code=2)).err
    gone = await tallyman("plan", "planned-2", code=1)
    assert "cannot be connected to" in gone.err


async def test_before_anything_was_loaded_a_plan_says_what_to_do(tmp_path: Path) -> None:
    assert "load a registry first" in (await Tallyman(tmp_path)("plan", "prod", code=2)).err


async def test_what_filters_leave_out_is_counted_named_and_kept_as_it_was(tallyman: Tallyman, estate: Estate) -> None:
    async with harbor_server(estate) as server:
        load = ("load", server.url, "--name", "planned-4", "--username", USERNAME, "--password-stdin", "--json")
        first = (await tallyman(*load, stdin=PASSWORD)).objects()[0]
        tags = await tallyman.rows("tags", "--registry", "planned-4")
        filters = ("--include", "re:library/.*", "--exclude-tag", "v0.*")
        second = (await tallyman(*load, *filters, stdin=PASSWORD)).objects()[0]
        left_out = sum(tag.startswith("v0.") for tag in estate.repositories["library/alpine"])
        assert (second["status"], second["removed"], second["discovered"]) == ("complete", 0, 0)
        assert second["tags_out_of_scope"] >= left_out > 0
        assert second["tags"] < first["tags"]
        assert without_times(await tallyman.rows("tags", "--registry", "planned-4")) == without_times(tags)
        (scan, _) = await tallyman.rows("scans", "--registry", "planned-4")
        assert scan["repositories_out_of_scope"] > 0
        assert scan["tags_out_of_scope"] == second["tags_out_of_scope"]
        named = await tallyman.sql("SELECT * FROM scan_out_of_scope WHERE registry = 'planned-4' AND tag != ''")
        assert {row["tag"] for row in named if row["repository"] == "library/alpine"} == {
            tag for tag in estate.repositories["library/alpine"] if tag.startswith("v0.")
        }
        third = (await tallyman(*load, "--include", "", "--exclude-tag", "", stdin=PASSWORD)).objects()[0]
        assert (third["tags"], third["tags_out_of_scope"]) == (first["tags"], 0)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--type", "gitlab"), "take tokens only: choose bearer as the auth type"),
        (("--exclude-tag", "re:("), "is no regular expression"),
        (("--newest-tags", "-1"), "greater than or equal to 1"),
    ],
)
async def test_a_setting_that_is_wrong_is_told_before_anything_is_asked(
    tallyman: Tallyman, words: tuple[str, ...], sentence: str
) -> None:
    assert sentence in (await tallyman("load", "http://127.0.0.1:9", *words, code=2)).err
