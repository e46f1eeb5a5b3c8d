"""Reads the raw logs of a chaos run, and says what was lost, doubled or invented. Nothing else decides.

    python -m tests.chaos.judge LOGS

Its last line is one JSON object. Exit code 0: everything is as it has to be.
"""

import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

Line = dict[str, Any]
Event = tuple[str, str, str | None, str | None]

_TYPE_PREFIX: Final = "dev.tallyman."
_CAME_UP: Final = frozenset({_TYPE_PREFIX + "image.discovered", _TYPE_PREFIX + "image.reappeared"})
_TOLD_BY_FAULTS: Final = frozenset({"unreachable", "rate_limited", "server_error", "timeout", "truncated"})


def main(logs: Path) -> int:
    verdict = judged(logs)
    _print_table(logs, verdict)
    print(json.dumps(verdict))
    return 0 if is_well(verdict) else 1


def is_well(verdict: Line) -> bool:
    """Return whether nothing is wrong."""
    return not any(verdict[name] for name in WRONGS)


WRONGS: Final = (
    *("events_lost", "events_doubled", "events_invented", "chains_broken", "inventory_differences"),
    *("states_wrong", "scans_untold", "offsets_skipped", "dead_letters_wrong"),
    *("triggers_lost", "triggers_invented", "triggers_of_many_ids"),
)


def judged(logs: Path) -> Line:
    """Return the verdict on a run's logs."""
    (run,) = _lines(logs, "run")
    rounds, events = _lines(logs, "rounds"), _lines(logs, "events")
    changes = [event for event in events if event["type"].split(".")[2] in ("tag", "image")]
    lost, invented, expected = _compared(rounds, changes)
    ids = Counter(event["id"] for event in events)
    return {
        "seed": run["seed"],
        "kills": len(_lines(logs, "kills")),
        "events_expected": expected,
        "events_lost": lost,
        "events_doubled": sum(times - 1 for times in ids.values()),
        "events_invented": invented,
        "chains_broken": sum(1 for _ in _broken_chains(_lines(logs, "truth"), changes)),
        "inventory_differences": sum(len(_differences(one)) for one in rounds),
        "states_wrong": _states_wrong(rounds[-1], _lines(logs, "states")),
        "scans_untold": _scans_untold(rounds, events),
        "offsets_skipped": sum(one["left"] for one in _lines(logs, "offsets")),
        "dead_letters_wrong": sum(letter["reason"] not in _TOLD_BY_FAULTS for letter in _lines(logs, "letters")),
        **_triggers(_lines(logs, "triggers"), changes),
        "logs": str(logs),
    }


def _compared(rounds: list[Line], changes: list[Line]) -> tuple[int, int, int]:
    """Return how many events of the still rounds were lost and invented, and how many there had to be."""
    lost = invented = expected = 0
    for one in rounds:
        if one["kind"] != "still":
            continue
        due = Counter(map(tuple, one["expected"]))
        told = Counter(_event(event) for event in changes if event["scan"] in one["scans"])
        lost += (due - told).total()
        invented += (told - due).total()
        expected += due.total()
    known = {scan for one in rounds for scan in one["scans"]}
    return lost, invented + sum(event["scan"] not in known for event in changes), expected


def _event(event: Line) -> Event:
    return event["type"].removeprefix(_TYPE_PREFIX), event["subject"], event["from"], event["to"]


def _broken_chains(truth: list[Line], changes: list[Line]) -> Iterator[str]:
    """Yield the tags whose events are no unbroken chain through states that the truth had, in its order."""
    states: dict[str, list[str | None]] = defaultdict(lambda: [None])
    for one in truth:
        states[f"{one['repository']}:{one['tag']}"].append(one["digest"])
    chains: dict[str, list[Line]] = defaultdict(list)
    for event in sorted(changes, key=lambda event: (event["partition"], event["offset"])):
        if ".tag." in event["type"]:
            chains[event["subject"]].append(event)
    for subject, chain in chains.items():
        had = iter(states[subject])
        here: str | None = None
        for event in chain:
            if event["from"] != here or event["to"] == here or event["to"] not in had:
                yield subject
                break
            here = event["to"]


def _differences(one: Line) -> set[tuple[str, ...]]:
    """Return in what the inventory at a round's end differs from the truth."""
    return {("tag", *row) for row in _rows(one["tags"]) ^ _rows(one["true_tags"])} | {
        ("image", *row) for row in _rows(one["images"]) ^ _rows(one["true_images"])
    }


def _rows(rows: list[list[str]]) -> set[tuple[str, ...]]:
    return {tuple(row) for row in rows}


def _states_wrong(last: Line, states: list[Line]) -> int:
    """Return in how many records the state topics differ from the truth at the end."""
    told = {one["topic"]: {tuple(row) for row in one["present"]} for one in states}
    tags, images = _rows(last["true_tags"]), _rows(last["true_images"])
    return len(told["tag.state"] ^ tags) + len(told["image.state"] ^ images)


def _scans_untold(rounds: list[Line], events: list[Line]) -> int:
    """Return how many scans were not told to have ended exactly once."""
    ends = Counter(event["scan"] for event in events if ".scan." in event["type"])
    return sum(ends[scan] != 1 for one in rounds for scan in one["scans"])


def _triggers(triggers: list[Line], changes: list[Line]) -> Line:
    """Return what is wrong with the triggers: each image that came up has one, under one id, if several times."""
    came = {event["subject"].rpartition("@")[2] for event in changes if event["type"] in _CAME_UP}
    told = {trigger["digest"] for trigger in triggers}
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for trigger in triggers:
        ids[trigger["digest"], trigger["platform"]].add(trigger["id"])
    return {
        "triggers_lost": len(came - told),
        "triggers_invented": len(told - came),
        "triggers_of_many_ids": sum(len(several) > 1 for several in ids.values()),
    }


def _print_table(logs: Path, verdict: Line) -> None:
    (run,) = _lines(logs, "run")
    kills = Counter(line["target"] for line in _lines(logs, "kills"))
    triggers = Counter(line["id"] for line in _lines(logs, "triggers"))
    letters = Counter(line["reason"] for line in _lines(logs, "letters"))
    rows: list[tuple[str, object]] = [
        *((f"killed: {target}", number) for target, number in sorted(kills.items())),
        *((f"fault injected: {fault}", number) for fault, number in sorted(run["faults"].items())),
        ("services started again", run["restarts"]),
        *((f"messages of {topic}", number) for topic, number in run["messages"].items()),
        *((f"of them redelivered: {topic}", number) for topic, number in run["redelivered"].items()),
        ("duplicates absorbed by the sink", run["absorbed"]),
        ("scan triggers", len(triggers)),
        ("of them sent again, under the same id", triggers.total() - len(triggers)),
        *((f"dead letters: {reason}", number) for reason, number in sorted(letters.items())),
        ("rounds, still and churned", f"{run['rounds']['still']}, {run['rounds']['churn']}"),
        ("scans, complete and others", f"{run['scans']['complete']}, {run['scans']['others']}"),
        ("seconds", run["seconds"]),
        *((name.replace("_", " "), verdict[name]) for name in ("events_expected", *WRONGS)),
    ]
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"{name:{width}}  {value}")


def _lines(logs: Path, name: str) -> list[Line]:
    path = logs / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()] if path.exists() else []


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
