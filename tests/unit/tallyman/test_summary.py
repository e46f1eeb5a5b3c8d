"""What a person reads after a load."""

import io
from pathlib import Path

from tallyman.loading import Loaded, Outcome
from tallyman.summary import print_summary


def summary(status: str, *failures: str, data: Path = Path("data"), out_of_scope: int = 0) -> str:
    loaded = Loaded(
        registry="shop",
        scan_id=3,
        status=status,
        repositories=1200,
        tags=3,
        images=4,
        artifacts=1,
        discovered=2,
        removed=0,
        failed=len(failures),
        tags_out_of_scope=out_of_scope,
        requests=9,
        seconds=1.25,
    )
    out = io.StringIO()
    print_summary(Outcome(loaded, failures), data, out)
    return out.getvalue()


def test_a_complete_load_has_its_numbers_and_the_next_commands() -> None:
    told = summary("complete")
    assert "shop: complete in 1.2 s. Everything was read." in told
    assert "1,200  repositories" in told
    assert "tallyman images --registry shop" in told
    assert "Not read" not in told


def test_the_next_commands_lead_to_the_same_folder() -> None:
    assert "tallyman events --data elsewhere" in summary("complete", data=Path("elsewhere"))


def test_a_partial_load_says_why_for_the_first_few_and_where_the_rest_is() -> None:
    told = summary("partial", *(f"repository-{number}: It was down." for number in range(7)))
    assert "What was not read is unknown, and kept as it was." in " ".join(told.split())
    assert "repository-4: It was down." in told
    assert "repository-5" not in told
    assert '… and 2 more: tallyman sql "SELECT * FROM scan_failures"' in told


def test_a_failed_load_says_why_and_no_numbers() -> None:
    told = summary("failed", "catalog: Not allowed.")
    assert "catalog: Not allowed." in told
    assert "repositories" not in told
    assert "Next:" not in told


def test_a_reason_is_not_read_as_markup() -> None:
    assert "a[/b]: [red]" in summary("partial", "a[/b]: [red]")


def test_tags_that_filters_left_out_are_counted_where_there_are_any() -> None:
    assert "left out" not in summary("complete")
    assert "1,500  tags left out by the connection's filters" in summary("complete", out_of_scope=1500)
