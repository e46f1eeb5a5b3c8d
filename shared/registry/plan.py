"""How a registry will be read, in words for people and in numbers."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """What is known of a registry: repositories, tags, and how many of the digests behind them are not stored yet."""

    repositories: int
    tags: int
    new_digests: int = 0


@dataclass(frozen=True)
class Step:
    """One stage's part.  stage: its name.  way: what it asks.  why: that way.  requests: expected, tokens left out."""

    stage: str
    way: str
    why: str
    requests: int


@dataclass(frozen=True)
class Plan:
    """product: as people call it.  why: it is taken for that.  steps: in the order of the stages."""

    product: str
    why: str
    steps: tuple[Step, ...]

    @property
    def requests(self) -> int:
        """All expected requests."""
        return sum(step.requests for step in self.steps)


def pages(things: int, each: int) -> int:
    """Return how many pages of `each` so many things fill, at least one."""
    return max(1, -(-things // each))
