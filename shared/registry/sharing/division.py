"""Divides a registry's limit among the workers that have work for it. Pure, whole numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_PAGE: Final = 100
"""Tags on a page, as is usual: so many requests downstream come of one upstream."""


@dataclass(frozen=True, order=True)
class Claimant:
    """A worker at one stage.  stage: the higher, the further downstream."""

    stage: int
    worker: str


def divide(limit: int, wants: Mapping[Claimant, int], turn: int) -> dict[str, int]:
    """Return, by worker, its share of `limit`; together they are `limit` where anybody has work, and never more.

    wants: requests that each could send in the next second.  turn: whose turn it is where there are more workers than
    requests; any number, raised by one for the next.

    Each worker with work gets one first, and a hundredth of the limit: what a page of a hundred tags costs upstream, so
    that downstream is never without work. The rest goes downstream first, so that backlogs stay small, to each as much
    as it wants, evenly; what nobody wants yet is spread evenly, so that who gets work next need not wait for it.
    """
    claims = [(claimant, want) for claimant, want in sorted(wants.items(), reverse=True) if want > 0]
    workers = list(dict.fromkeys(claimant.worker for claimant, _ in claims))
    if not workers or limit <= 0:
        return {}
    if limit < len(workers):
        return dict.fromkeys(_in_turn(claims, turn)[:limit], 1)
    wanted = [sum(want for claimant, want in claims if claimant.worker == worker) for worker in workers]
    first = fill(limit, [min(want, 1 + limit // _PAGE) for want in wanted])
    shares = dict(zip(workers, first, strict=True))
    left = limit - sum(first)
    unmet = _beyond_the_first(claims, shares)
    for stage in sorted({claimant.stage for claimant, _ in claims}, reverse=True):
        of_stage = [(claimant, want) for claimant, want in unmet if claimant.stage == stage]
        given = fill(left, [want for _, want in of_stage])
        for (claimant, _), amount in zip(of_stage, given, strict=True):
            shares[claimant.worker] += amount
        left -= sum(given)
    for worker, amount in zip(workers, fill(left, [left] * len(workers)), strict=True):
        shares[worker] += amount
    return shares


def fill(amount: int, wants: Sequence[int]) -> list[int]:
    """Return how much of `amount` each gets: evenly, no more than it wants; a rest goes to those that want most."""
    given = [0] * len(wants)
    left = amount
    for rank, index in enumerate(sorted(range(len(wants)), key=lambda index: wants[index])):
        given[index] = min(wants[index], left // (len(wants) - rank))
        left -= given[index]
    return given


def _in_turn(claims: Sequence[tuple[Claimant, int]], turn: int) -> list[str]:
    """Return the workers, the most downstream stage first, and within a stage by turns."""
    order: list[str] = []
    for stage in sorted({claimant.stage for claimant, _ in claims}, reverse=True):
        names = sorted(claimant.worker for claimant, _ in claims if claimant.stage == stage)
        at = turn % len(names)
        order += [*names[at:], *names[:at]]
    return list(dict.fromkeys(order))


def _beyond_the_first(claims: Sequence[tuple[Claimant, int]], first: Mapping[str, int]) -> list[tuple[Claimant, int]]:
    """Return what each still wants once its worker has what it gets first."""
    left = dict(first)
    unmet = []
    for claimant, want in claims:
        met = min(want, left[claimant.worker])
        left[claimant.worker] -= met
        unmet.append((claimant, want - met))
    return unmet
