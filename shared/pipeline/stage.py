"""What a stage is to the worker loop: a name, a source, and rules. A stage never sees Kafka."""

from collections.abc import AsyncIterator, Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

from shared.errors import TallymanError
from shared.messages.model import Message, ScanContext
from shared.messages.topics import Topic

M = TypeVar("M", bound=Message)


def _tells_nothing(context: ScanContext, repository: str | None, error: TallymanError) -> Iterable[Message]:
    return ()


@dataclass(frozen=True)
class Stage(Generic[M]):
    """One stage of the pipeline.

    name: also its consumer group.  source: the topic it consumes.
    handle: works one message; what it yields is routed by type, and the message is done once all of it is safe.
    give_up: what goes downstream instead when the message cannot be worked, so that no scan hangs.
    order: messages of one registry with the same order key are worked one after another, as they came.
    registry: the registry whose share of the concurrency the message uses.
    unreadable: like give_up, for bytes that are no message but still show whose scan they belong to.
    """

    name: str
    source: Topic[M]
    handle: Callable[[M], AsyncIterator[Message]]
    give_up: Callable[[M, TallymanError], Iterable[Message]]
    order: Callable[[M], Hashable]
    registry: Callable[[M], str]
    unreadable: Callable[[ScanContext, str | None, TallymanError], Iterable[Message]] = _tells_nothing


@dataclass
class StageStats:
    """What a stage process has done since it started, for progress and health.

    received, succeeded, given_up, retried, suspected: messages, tries and unexpected errors so far.
    working, waiting: messages at work and held in memory now.  handler_seconds: time spent in handlers.
    partitions: those that are this process's own at this moment.
    """

    received: int = 0
    succeeded: int = 0
    given_up: int = 0
    retried: int = 0
    suspected: int = 0
    working: int = 0
    waiting: int = 0
    handler_seconds: float = 0.0
    partitions: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Pace:
    """The loop's own times, all in seconds.

    commit: between two commits.  poll: the longest one poll waits, and so a paused partition that has room again.
    session: a silent member is given up after it.  backoff: before the second try of a message.
    max_poll: a member that polls this rarely is given up; it bounds no handler, since polling never stops.
    """

    commit: float = 1.0
    poll: float = 0.05
    session: float = 10.0
    max_poll: float = 300.0
    backoff: float = 1.0


PACE: Final = Pace()


class StageStopped(TallymanError):
    """So many unexpected errors in a row that the fault must be ours: the stage stops, none of them committed."""

    def __init__(self, stage: str, errors: int, last: BaseException) -> None:
        super().__init__(
            f"The stage {stage} met {errors} unexpected errors in a row, the last a {type(last).__name__}, and "
            "stopped before it could do harm. Nothing is lost: see the tracebacks in its log, then start it again.",
            reason="errors_in_a_row",
        )
