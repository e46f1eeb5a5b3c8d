"""The judge of the chaos runs sees every kind of wrong: a check that cannot fail says nothing."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.judge import WRONGS, is_well, judged

Run = dict[str, list[dict[str, Any]]]

A, B = "sha256:aa", "sha256:bb"


def told(offset: int, kind: str, subject: str, old: str | None, new: str | None, scan: int) -> dict[str, Any]:
    return {
        "partition": 0,
        "offset": offset,
        "id": f"id {offset}",
        "type": f"dev.tallyman.{kind}",
        "subject": subject,
        "from": old,
        "to": new,
        "scan": scan,
    }


GOOD: Run = {
    "run": [{"seed": 1}],
    "kills": [{"target": "sink"}],
    "truth": [
        {"repository": "app", "tag": "1", "digest": A},
        {"repository": "app", "tag": "1", "digest": B},
        {"repository": "app", "tag": "1", "digest": A},
    ],
    "events": [
        told(0, "tag.created", "app:1", None, A, 1),
        told(1, "image.discovered", "app@sha256:aa", None, None, 1),
        told(2, "scan.completed", "scan/1", None, None, 1),
        told(3, "tag.moved", "app:1", A, B, 2),
        told(4, "scan.completed", "scan/2", None, None, 2),
        told(5, "scan.completed", "scan/3", None, None, 3),
        told(6, "tag.moved", "app:1", B, A, 3),
    ],
    "rounds": [
        {
            "kind": "still",
            "scans": [1],
            "tags": [["app", "1", A]],
            "true_tags": [["app", "1", A]],
            "images": [["app", A]],
            "true_images": [["app", A]],
            "expected": [["tag.created", "app:1", None, A], ["image.discovered", "app@sha256:aa", None, None]],
        },
        {
            "kind": "churn",
            "scans": [2, 3],
            "tags": [["app", "1", A]],
            "true_tags": [["app", "1", A]],
            "images": [["app", A]],
            "true_images": [["app", A]],
            "expected": [],
        },
    ],
    "states": [
        {"topic": "tag.state", "present": [["app", "1", A]]},
        {"topic": "image.state", "present": [["app", A]]},
    ],
    "letters": [{"stage": "tagger", "reason": "rate_limited"}],
    "offsets": [{"stage": "sink", "left": 0}],
    "triggers": [
        {"id": "t1", "digest": A, "platform": "linux/amd64"},
        {"id": "t1", "digest": A, "platform": "linux/amd64"},
        {"id": "t2", "digest": A, "platform": "linux/arm64"},
    ],
}


def judge(run: Run, folder: Path) -> dict[str, Any]:
    for name, lines in run.items():
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return judged(folder)


def test_a_good_run_is_well(tmp_path: Path) -> None:
    verdict = judge(GOOD, tmp_path)
    assert is_well(verdict)
    assert (verdict["kills"], verdict["events_expected"]) == (1, 2)


def lose(run: Run) -> None:
    del run["events"][1]


def double(run: Run) -> None:
    run["events"].append({**run["events"][2], "offset": 9})


def invent(run: Run) -> None:
    run["events"].append(told(9, "image.discovered", "app@sha256:cc", None, None, 1))


def invent_elsewhere(run: Run) -> None:
    run["events"].append(told(9, "image.removed", "app@sha256:aa", None, None, 77))


def break_the_chain(run: Run) -> None:
    run["events"][6]["from"] = A


def go_through_a_state_that_never_was(run: Run) -> None:
    run["truth"][1]["digest"] = "sha256:cc"


def show_less(run: Run) -> None:
    run["rounds"][1]["images"] = []


def show_another_digest(run: Run) -> None:
    run["rounds"][0]["tags"] = [["app", "1", B]]


def keep_a_state(run: Run) -> None:
    run["states"][0]["present"].append(["app", "2", A])


def end_untold(run: Run) -> None:
    del run["events"][4]


def skip(run: Run) -> None:
    run["offsets"][0]["left"] = 3


def bury(run: Run) -> None:
    run["letters"].append({"stage": "sink", "reason": "unexpected_error"})


def lose_triggers(run: Run) -> None:
    run["triggers"].clear()


def trigger_what_never_came(run: Run) -> None:
    run["triggers"].append({"id": "t3", "digest": B, "platform": "linux/amd64"})


def trigger_under_another_id(run: Run) -> None:
    run["triggers"][1]["id"] = "t9"


@pytest.mark.parametrize(
    ("spoil", "wrong"),
    [
        (lose, "events_lost"),
        (double, "events_doubled"),
        (invent, "events_invented"),
        (invent_elsewhere, "events_invented"),
        (break_the_chain, "chains_broken"),
        (go_through_a_state_that_never_was, "chains_broken"),
        (show_less, "inventory_differences"),
        (show_another_digest, "inventory_differences"),
        (keep_a_state, "states_wrong"),
        (end_untold, "scans_untold"),
        (skip, "offsets_skipped"),
        (lose_triggers, "triggers_lost"),
        (trigger_what_never_came, "triggers_invented"),
        (trigger_under_another_id, "triggers_of_many_ids"),
        (bury, "dead_letters_wrong"),
    ],
)
def test_each_wrong_is_seen(spoil: Callable[[Run], None], wrong: str, tmp_path: Path) -> None:
    run = deepcopy(GOOD)
    spoil(run)
    verdict = judge(run, tmp_path)
    assert verdict[wrong] > 0
    assert not is_well(verdict)


def test_every_wrong_has_its_test() -> None:
    (marked,) = [mark for mark in test_each_wrong_is_seen.pytestmark if mark.name == "parametrize"]  # type: ignore[attr-defined]
    assert {wrong for _, wrong in marked.args[1]} == set(WRONGS)
