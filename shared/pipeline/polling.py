"""How a consumer polls those of its partitions that have room, and no others.

aiokafka's own pause would throw away what it has fetched of the others, and fetch it again.
"""

from collections.abc import Sequence
from typing import Final

from aiokafka import TopicPartition

FETCH_BYTES: Final = 256 * 1024
"""Of a partition at once, packed: what is kept of one without room. A larger message comes all the same."""

_NO_PARTITION: Final = -1


def polled(topic: str, with_room: Sequence[TopicPartition]) -> Sequence[TopicPartition]:
    """Return what to poll: these, or where none has room one that gives nothing, since to name none is to name all.

    Polling goes on all the same, or the group would give its member up.
    """
    return with_room or [TopicPartition(topic, _NO_PARTITION)]
