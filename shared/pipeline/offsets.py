"""Which offset of a partition may be committed: the one below which everything is done."""

from collections import deque


class OffsetTracker:
    """The offsets received from one partition, in order, and which of them are done."""

    def __init__(self) -> None:
        self._line: deque[int] = deque()
        self._undone: set[int] = set()
        self._last = -1
        self._committable: int | None = None

    def received(self, offset: int) -> None:
        """Take note of a message. Raises ValueError unless offsets rise (gaps are Kafka's transaction markers)."""
        if offset <= self._last:
            raise ValueError(f"offset {offset} came after {self._last}")
        self._last = offset
        self._line.append(offset)
        self._undone.add(offset)

    def done(self, offset: int) -> None:
        """Take note that a message is done. Raises KeyError if it was not received, or is done already."""
        self._undone.remove(offset)
        while self._line and self._line[0] not in self._undone:
            self._committable = self._line.popleft() + 1

    @property
    def committable(self) -> int | None:
        """The offset to commit: one past the last message before which nothing is undone. None: nothing yet."""
        return self._committable

    @property
    def undone(self) -> int:
        """How many messages were received and are not done."""
        return len(self._undone)

    @property
    def span(self) -> int:
        """How many messages would come again if the process died now: undone ones, and done ones behind them."""
        return len(self._line)
