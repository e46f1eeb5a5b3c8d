"""`budget.claimed`: each process tells what it wants of each registry's budget. By worker, compacted.

Three kinds of records, told apart by key and value: a beat (key: the worker), that a worker is silent (key: the worker
and `/silent`), and that it is gone (key: the worker, no value, the number in a header).
"""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from shared.messages.model import Message, RegistryId, Shape

Worker = Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{8,32}$")]
"""Random, made anew at each start of a process."""

_MOST: Final = 1_000_000


class Claim(Shape):
    """What a worker wants of one registry.

    stage: the higher, the further downstream.  requests: that it could send in the next second.
    sent: at most so many it has sent in the last second, and cannot take back.  connections: that it has use for.
    max_rps, max_connections: the registry's limits, as the worker knows them, lowered as the registry asked for.
    is_broken: nothing is asked of it, since it did not answer.  refused: the revision of the connection whose sign-in
    it rejected, 0 = none.
    """

    registry: RegistryId
    stage: int = Field(ge=0, le=100)
    requests: int = Field(ge=0, le=_MOST)
    sent: int = Field(0, ge=0, le=_MOST)
    connections: int = Field(ge=0, le=_MOST)
    max_rps: int = Field(ge=0, le=_MOST)
    max_connections: int = Field(ge=0, le=_MOST)
    is_broken: bool = False
    refused: int = Field(0, ge=0)


class Beat(Message):
    """A worker lives.

    number: of its beats, from 1.  seen: the last log position that it has read and with whose division the requests it
    sent in the last second comply.  settled: the last one with whose division its open connections comply.
    process: where it runs, so that those beside it see that it ended; empty where unknown.  claims: all that it wants;
    a registry left out it wants nothing of.
    """

    worker: Worker
    number: int = Field(ge=1)
    seen: int = Field(ge=-1)
    settled: int = Field(ge=-1)
    process: str = Field("", max_length=200)
    claims: tuple[Claim, ...] = Field((), max_length=100_000)


class Silent(Message):
    """Nobody has heard of a worker for its time to live: it sends nothing, and may hold connections open.

    number: of its last beat that was known; a later one in the log voids this.
    """

    worker: Worker
    number: int = Field(ge=1)


class Gone(Message):
    """A worker has ended, or must be taken for ended: it holds nothing any more.  number: as of `Silent`."""

    worker: Worker
    number: int = Field(ge=1)
