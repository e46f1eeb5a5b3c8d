"""Dead letters: what could not be worked, as it came, with the reason beside it."""

import traceback
from collections.abc import Iterable
from enum import StrEnum
from typing import Final, Protocol

from shared.errors import TallymanError
from shared.pipeline.topics import LARGEST_OUTPUT_BYTES

_TRACEBACK_BYTES: Final = 16 * 1024


class Header(StrEnum):
    """The headers of a dead letter; all are UTF-8 text, numbers in decimal.

    STAGE: the stage that gave it up.  REASON: a constant.  ERROR: a sentence, or the name of an unexpected error.
    TOPIC, PARTITION, OFFSET: where it lay.  FIRST_SEEN: when it was sent there, ms since 1970.
    TRACEBACK: of an unexpected error, without the error's text, which may hold what is nobody's business.
    OMITTED: the size in bytes of a message so large that its letter holds neither key nor value.
    """

    STAGE = "stage"
    REASON = "reason"
    ERROR = "error"
    TOPIC = "topic"
    PARTITION = "partition"
    OFFSET = "offset"
    FIRST_SEEN = "first_seen"
    TRACEBACK = "traceback"
    OMITTED = "omitted"


REASON_UNEXPECTED: Final = "unexpected_error"


class Origin(Protocol):
    """Where a message lay: of a consumed record, what its dead letter tells."""

    @property
    def topic(self) -> str: ...

    @property
    def partition(self) -> int: ...

    @property
    def offset(self) -> int: ...

    @property
    def timestamp(self) -> int: ...


def dead_letter_headers(stage: str, origin: Origin, error: Exception) -> list[tuple[str, bytes]]:
    """Return the headers of the dead letter of what lay at `origin` and ended in `error`."""
    told = isinstance(error, TallymanError)
    values: dict[Header, object] = {
        Header.STAGE: stage,
        Header.REASON: error.reason if isinstance(error, TallymanError) else REASON_UNEXPECTED,
        Header.ERROR: error if told else type(error).__name__,
        Header.TOPIC: origin.topic,
        Header.PARTITION: origin.partition,
        Header.OFFSET: origin.offset,
        Header.FIRST_SEEN: origin.timestamp,
    }
    if not told:
        values[Header.TRACEBACK] = frames(error)
    return [(header.value, str(value).encode(errors="backslashreplace")) for header, value in values.items()]


def dead_letter_of(
    stage: str, origin: Origin, key: bytes | None, value: bytes | None, error: Exception
) -> tuple[bytes | None, bytes | None, list[tuple[str, bytes]]]:
    """Return a dead letter's key, value and headers: the message as it came, or its size where it is too large."""
    headers = dead_letter_headers(stage, origin, error)
    size = len(key or b"") + len(value or b"")
    if size > LARGEST_OUTPUT_BYTES:  # not ours: somebody else wrote to the topic, as much as it takes
        key, value = None, None
        headers.append((Header.OMITTED.value, str(size).encode()))
    if key is None and value is None:
        key = b""  # a record needs one of the two
    return key, value, headers


def frames(error: BaseException) -> str:
    """Return where an error was raised, and those it came from: frames and names, never the errors' texts."""
    told = "\n".join(_chain(error))
    return told if len(told) <= _TRACEBACK_BYTES else "…" + told[-_TRACEBACK_BYTES:]


def _chain(error: BaseException) -> Iterable[str]:
    seen: set[int] = set()
    at: BaseException | None = error
    while at is not None and id(at) not in seen:
        seen.add(id(at))
        yield "".join(traceback.format_tb(at.__traceback__)) + type(at).__name__
        at = at.__cause__ or at.__context__
