"""How a registry will be read, in words for people and in numbers."""

from dataclasses import dataclass, replace


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


def of_named(plan: Plan, names: int, tags: int) -> Plan:
    """Return the plan for a connection that names its repositories itself: they are read one by one.

    names: how many.  tags: of all of them.  What a product tells with its list of repositories is not told then.
    """
    lister, tagger, manifester = plan.steps
    own = replace(lister, way="the connection's own list", why="it names its repositories", requests=0)
    if tagger.requests == 0:
        tagger = replace(tagger, way="a tag list of each", why="they are named one by one", requests=names)
        manifester = replace(manifester, way="each tag, on condition", why="the lists tell no digests", requests=tags)
    return replace(plan, steps=(own, tagger, manifester))
