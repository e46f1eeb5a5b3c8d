"""The buffer: batches by weight or by age, each record once, memory bounded."""

from dataclasses import dataclass

from services.sink.buffer import Buffer, Flow


@dataclass(frozen=True)
class Weighed:
    offset: int
    weight: int = 1


def records(*offsets: int, weight: int = 1) -> list[Weighed]:
    return [Weighed(offset, weight) for offset in offsets]


def offsets(batch: list[Weighed]) -> list[int]:
    return [record.offset for record in batch]


def buffer(weight: int = 10, delay: float = 0.2, flow: Flow | None = None) -> Buffer[Weighed]:
    return Buffer(weight, delay, flow or Flow(1000))


def test_what_comes_when_nothing_is_going_on_does_not_wait() -> None:
    kept = buffer()
    kept.offer(records(0), now=5.0)
    assert offsets(kept.batch(5.0)) == [0]
    kept.worked(1, seconds=0.01, now=5.0)
    kept.offer(records(1), now=5.3)
    assert offsets(kept.batch(5.3)) == [1]


def test_what_comes_soon_after_a_batch_waits_no_longer_than_the_delay() -> None:
    kept = buffer()
    kept.worked(0, seconds=0.01, now=5.0)
    kept.offer(records(0), now=5.1)
    assert offsets(kept.batch(5.1)) == []
    assert round(kept.seconds_to_wait(5.1), 6) == 0.1
    kept.offer(records(1), now=5.15)
    assert offsets(kept.batch(5.21)) == [0, 1]


def test_a_full_batch_does_not_wait() -> None:
    kept = buffer(weight=3)
    kept.worked(0, seconds=9.0, now=0.0)
    kept.offer(records(0, 1, 2, 3), now=0.0)
    assert kept.seconds_to_wait(0.0) == 0.0
    assert offsets(kept.batch(0.0)) == [0, 1, 2]


def test_after_a_batch_the_next_rests_four_times_as_long_as_it_took_while_more_comes_up_to_ten_delays() -> None:
    flow = Flow(1000)
    kept, other = buffer(flow=flow), buffer(flow=flow)
    kept.worked(0, seconds=0.1, now=1.0)
    kept.offer(records(1), now=1.1)
    other.offer(records(1), now=1.3)
    assert offsets(kept.batch(1.39)) == []
    assert offsets(kept.batch(1.41)) == [1]
    kept.worked(2, seconds=3.0, now=5.0)
    kept.offer(records(2), now=5.0)
    other.offer(records(2), now=6.9)
    assert round(kept.seconds_to_wait(6.9), 6) == 0.1


def test_the_rest_is_over_when_nothing_comes_any_more() -> None:
    kept = buffer()
    kept.worked(0, seconds=0.4, now=1.0)
    kept.offer(records(0), now=1.0)
    kept.offer(records(1), now=1.5)
    assert round(kept.seconds_to_wait(1.5), 6) == 0.4  # as long as the batch took
    assert offsets(kept.batch(1.91)) == [0, 1]


def test_a_batch_is_cut_by_weight_and_one_record_is_always_enough() -> None:
    kept = buffer(weight=10)
    kept.offer([Weighed(0, 6), Weighed(1, 6), Weighed(2, 99), Weighed(3, 1)], now=0.0)
    assert offsets(kept.batch(0.0)) == [0]
    kept.drop_before(1)
    assert offsets(kept.batch(0.0)) == [1]
    kept.drop_before(2)
    assert offsets(kept.batch(0.0)) == [2]


def test_a_batch_stays_until_it_is_committed() -> None:
    kept = buffer(weight=1)
    kept.offer(records(0), now=0.0)
    assert offsets(kept.batch(0.0)) == offsets(kept.batch(0.0)) == [0]
    kept.drop_before(1)
    assert kept.is_empty
    assert offsets(kept.batch(0.0)) == []


def test_what_was_fetched_before_is_passed_over() -> None:
    kept = buffer(weight=1)
    kept.offer(records(3, 4), now=0.0)
    kept.offer(records(3, 4, 5), now=0.0)
    kept.drop_before(9)
    kept.offer(records(6, 8, 9), now=0.0)
    assert offsets(kept.batch(1.0)) == [9]


def test_a_partition_holds_two_batches() -> None:
    kept = buffer(weight=4)
    kept.offer(records(*range(7)), now=0.0)
    assert kept.has_room
    kept.offer(records(7), now=0.0)
    assert not kept.has_room
    kept.drop_before(1)
    assert kept.has_room


def test_many_partitions_hold_a_share_each_and_half_of_it_makes_a_full_batch() -> None:
    flow = Flow(most=24, partitions=4)
    kept = buffer(weight=10, flow=flow)
    kept.worked(0, seconds=9.0, now=0.0)
    kept.offer(records(0, 1), now=0.0)
    assert (kept.has_room, kept.batch(0.0)) == (True, [])
    kept.offer(records(2, 3, 4), now=0.0)
    assert (kept.has_room, offsets(kept.batch(0.0))) == (True, [0, 1, 2])
    kept.offer(records(5), now=0.0)
    assert not kept.has_room
    flow.partitions = 1
    assert (kept.has_room, kept.batch(0.0)) == (True, [])


def test_what_is_larger_than_a_share_is_taken_alone() -> None:
    kept = buffer(weight=10, flow=Flow(most=1, partitions=48))
    assert kept.has_room
    kept.offer(records(0, weight=7), now=0.0)
    assert (kept.has_room, offsets(kept.batch(0.0))) == (False, [0])


def test_an_empty_buffer_has_nothing_to_wait_for() -> None:
    assert buffer().seconds_to_wait(100.0) == 0.0
    assert buffer().batch(100.0) == []
