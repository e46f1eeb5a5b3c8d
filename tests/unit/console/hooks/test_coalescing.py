"""Many hooks tell of one push: one read answers them all."""

from services.console.hooks.coalescing import COOLING_SECONDS, DELAY_SECONDS, TAGS_AT_MOST, TARGETS_AT_MOST, Hints
from services.console.hooks.payloads import Target

ONE: Target = ("app", "1")


def test_a_hint_waits_for_its_like_and_is_read_once() -> None:
    hints = Hints()
    for number in range(20):
        hints.add([ONE], number * 0.01)
    assert hints.due(DELAY_SECONDS - 0.01) == []
    assert hints.due(DELAY_SECONDS) == [ONE]
    assert hints.due(DELAY_SECONDS + 10) == []


def test_what_comes_after_a_read_is_one_more_read_at_the_end() -> None:
    hints = Hints()
    hints.add([ONE], 0.0)
    assert hints.due(DELAY_SECONDS) == [ONE]
    for number in range(20):
        hints.add([ONE], DELAY_SECONDS + number * 0.1)
    assert hints.due(DELAY_SECONDS + COOLING_SECONDS - 0.01) == []
    assert hints.due(DELAY_SECONDS + COOLING_SECONDS) == [ONE]


def test_another_target_does_not_wait_for_it() -> None:
    hints = Hints()
    hints.add([ONE], 0.0)
    hints.due(DELAY_SECONDS)
    hints.add([("app", "2"), ("other", None)], 1.0)
    assert hints.due(1.0 + DELAY_SECONDS) == [("other", None), ("app", "2")]


def test_many_tags_of_a_repository_are_one_read_of_the_repository() -> None:
    hints = Hints()
    hints.add([("app", str(number)) for number in range(TAGS_AT_MOST + 1)] + [("other", "1")], 0.0)
    assert hints.due(1.0) == [("app", None), ("other", "1")]
    hints.add([("whole", None), ("whole", "1")], 2.0)
    assert hints.due(3.0) == [("whole", None)]


def test_a_flood_is_held_within_bounds_and_counted() -> None:
    hints = Hints()
    hints.add([(f"r{number}", None) for number in range(TARGETS_AT_MOST + 7)], 0.0)
    assert (len(hints.waiting), hints.dropped) == (TARGETS_AT_MOST, 7)


def test_what_could_not_be_asked_for_is_due_again_later_though_it_counted_as_read() -> None:
    hints = Hints()
    hints.add([ONE], 0.0)
    assert hints.due(DELAY_SECONDS) == [ONE]
    hints.put_back([ONE], 1.0)
    assert hints.due(1.0) == []
    assert hints.due(1.0 + DELAY_SECONDS) == [ONE]
