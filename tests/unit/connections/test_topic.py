"""What a process has read of the connections' topic is kept for its next writer, but not for long."""

from shared.connections.topic import ReadBefore
from tests.unit.connections.samples import NOTHING, a_connection, holding


def test_what_was_read_long_ago_is_forgotten() -> None:
    now = [100.0]
    read_before = ReadBefore(lambda: now[0])
    assert read_before.recalled() == NOTHING
    read_before.keep(holding(a_connection()))
    now[0] += 3599
    assert read_before.recalled() == holding(a_connection())
    now[0] += 1
    assert read_before.recalled() == NOTHING
