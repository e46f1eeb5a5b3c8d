"""Prints, for each target, the mutants that survive and are not explained; ends with 1 if there are any."""

import sys
import tomllib
from collections import defaultdict
from pathlib import Path
from time import monotonic
from typing import Final

from tests.mutants.sandbox import Sandbox, Survivor
from tests.mutants.targets import TARGETS, Target

_SANDBOXES: Final = Path(".cache/mutants")
_EXPLAINED: Final = Path(__file__).with_name("explained.toml")


def main(names: list[str]) -> int:
    """Check these targets, all unless any is named."""
    if unknown := set(names) - TARGETS.keys():
        print(f"No such target: {', '.join(sorted(unknown))}. There are: {', '.join(TARGETS)}.")
        return 2
    explained = _explained()
    open_questions = [_check(name, TARGETS[name], explained) for name in names or TARGETS]
    return 1 if any(open_questions) else 0


def _check(name: str, target: Target, explained: dict[str, set[str]]) -> int:
    """Return how many mutants survive unexplained, or are explained and do not survive."""
    begun = monotonic()
    sandbox = Sandbox(_SANDBOXES / name, target)
    total = sandbox.run()
    survivors = list(sandbox.survivors())
    unexplained = [one for one in survivors if one.change not in explained[one.function]]
    stale = _stale(target, survivors, explained)
    print(
        f"{name}: {total} mutants, {total - len(survivors)} killed, {len(survivors) - len(unexplained)} explained, "
        f"{len(unexplained)} survive; {monotonic() - begun:.0f} s",
        flush=True,
    )
    for one in unexplained:
        print(f"  {one.function} ({one.status}; {one.name.rpartition('_')[2]})\n    {one.change}")
    for function, change in stale:
        print(f"  {_EXPLAINED.name} explains what does not survive: {function}\n    {change}")
    return len(unexplained) + len(stale)


def _stale(target: Target, survivors: list[Survivor], explained: dict[str, set[str]]) -> list[tuple[str, str]]:
    modules = tuple(path.removesuffix(".py").replace("/", ".") + "." for path in target.modules)
    surviving = {(one.function, one.change) for one in survivors}
    listed = {(function, change) for function, changes in explained.items() for change in changes}
    return sorted(one for one in listed - surviving if one[0].startswith(modules))


def _explained() -> dict[str, set[str]]:
    """Return the changes that no test can see, by function."""
    changes: dict[str, set[str]] = defaultdict(set)
    for one in tomllib.loads(_EXPLAINED.read_text())["mutant"]:
        assert one["why"]
        changes[one["function"]].update(one["changes"])
    return changes


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
