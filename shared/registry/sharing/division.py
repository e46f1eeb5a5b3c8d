"""Divides a registry's limit among the workers that have work for it. Pure, whole numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

_UPSTREAM: Final = 5
"""A stage upstream of another gets one part in so many, so that downstream is never without work. A repository of five
tags or more makes more requests downstream than one upstream."""


@dataclass(frozen=True, order=True)
class Claimant:
    """A worker at one stage.  stage: the higher, the further downstream."""

    stage: int
    worker: str


def divide(limit: int, wants: Mapping[Claimant, int], turn: int) -> dict[str, int]:
    """Return, by worker, its share of `limit`; together they are `limit` where anybody has work, and never more.

    wants: requests that each could send in the next second.  turn: whose turn it is where there are more workers than
    requests; any number, raised by one for the next.

    Each worker with work gets one first, and each stage upstream of another a fifth of the limit, so that downstream is
    never without work. The rest goes downstream first, so that backlogs stay small, to each as much as it wants,
    evenly; what nobody wants yet is spread evenly, so that who gets work next need not wait for it.
    """
    claims = [(claimant, want) for claimant, want in sorted(wants.items(), reverse=True) if want > 0]
    workers = list(dict.fromkeys(claimant.worker for claimant, _ in claims))
    if not workers or limit <= 0:
        return {}
    if limit < len(workers):
        return dict.fromkeys(_in_turn(claims, turn)[:limit], 1)
    shares = dict.fromkeys(workers, 1)
    stages = sorted({claimant.stage for claimant, _ in claims}, reverse=True)
    for stage, most in [*((stage, limit // _UPSTREAM) for stage in stages[1:]), *((stage, limit) for stage in stages)]:
        unmet = [(claimant, want) for claimant, want in _unmet(claims, shares) if claimant.stage == stage]
        given = fill(min(most, limit - sum(shares.values())), [want for _, want in unmet])
        for (claimant, _), amount in zip(unmet, given, strict=True):
            shares[claimant.worker] += amount
    left = limit - sum(shares.values())
    for worker, amount in zip(workers, fill(left, [left] * len(workers)), strict=True):
        shares[worker] += amount
    return shares


@dataclass(frozen=True)
class Part:
    """A worker's part of a limit.

    holds: requests in a second that nobody else may send.  sends: how many of them it may send; fewer where it has sent
    more than is left for it, and holds that until the second is over.
    """

    holds: int
    sends: int


def hand_over(limit: int, wants: Mapping[Claimant, int], sent: Mapping[str, int], turn: int) -> dict[str, Part]:
    """Return, by worker, its part of `limit` while parts change; what all hold is never more than the limit.

    wants, turn: as of `divide`, whose shares all arrive at.  sent: requests of each worker in the last second.

    Who has sent more than its new share holds what it has sent: it cannot be taken back. It may send no more than its
    share, so it holds less with each moment, and the others divide what it does not hold.
    """
    aims = divide(limit, wants, turn)
    shares, held = aims, dict[str, int]()
    while over := [worker for worker, many in sent.items() if worker not in held and many > shares.get(worker, 0)]:
        workers = [*held, *over]
        held = dict(zip(workers, fill(limit, [sent[worker] for worker in workers]), strict=True))
        others = {claimant: want for claimant, want in wants.items() if claimant.worker not in held}
        shares = divide(limit - sum(held.values()), others, turn)
    return {
        **{worker: Part(share, share) for worker, share in shares.items()},
        **{worker: Part(holds, min(holds, aims.get(worker, 0))) for worker, holds in held.items()},
    }


def fill(amount: int, wants: Sequence[int]) -> list[int]:
    """Return how much of `amount` each gets: evenly, no more than it wants; what cannot be even goes to the first."""
    given = [0] * len(wants)
    left = amount
    for rank, index in enumerate(sorted(range(len(wants)), key=lambda index: wants[index])):
        given[index] = min(wants[index], left // (len(wants) - rank))
        left -= given[index]
    for index, want in enumerate(wants):
        if left <= 0:
            break
        if given[index] < want:
            given[index] += 1
            left -= 1
    return given


def _in_turn(claims: Sequence[tuple[Claimant, int]], turn: int) -> list[str]:
    """Return the workers, the most downstream stage first, and within a stage by turns."""
    order: list[str] = []
    for stage in sorted({claimant.stage for claimant, _ in claims}, reverse=True):
        names = sorted(claimant.worker for claimant, _ in claims if claimant.stage == stage)
        at = turn % len(names)
        order += [*names[at:], *names[:at]]
    return list(dict.fromkeys(order))


def _unmet(claims: Sequence[tuple[Claimant, int]], shares: Mapping[str, int]) -> list[tuple[Claimant, int]]:
    """Return what each still wants beyond its worker's share."""
    left = dict(shares)
    unmet = []
    for claimant, want in claims:
        met = min(want, left[claimant.worker])
        left[claimant.worker] -= met
        unmet.append((claimant, want - met))
    return unmet
