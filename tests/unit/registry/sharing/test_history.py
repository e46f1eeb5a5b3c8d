"""What an allowance remembers: shares over positions, and positions over time."""

from shared.registry.sharing.allowance import _History, _Moments


def history(*entries: tuple[int, int, bool]) -> _History:
    made = _History()
    for position, mine, alone in entries:
        made.note(position, mine, alone=alone)
    return made


def test_the_smallest_share_of_the_range_may_be_used() -> None:
    shares = history((2, 30, False), (4, 10, False), (6, 50, False))
    assert [shares.usable(start) for start in (7, 6, 5, 4, 3, 2)] == [50, 50, 10, 10, 10, 10]


def test_before_the_first_entry_there_was_nothing() -> None:
    shares = history((2, 30, False))
    assert [shares.usable(start) for start in (2, 1, -1)] == [30, 0, 0]
    assert history().usable(0) == 0


def test_who_was_alone_over_the_whole_range_may_use_its_last_share() -> None:
    assert history((2, 10, True), (4, 50, True)).usable(2) == 50
    assert history((4, 50, True)).usable(-1) == 50  # nobody had anything before
    assert history((2, 10, False), (4, 50, True)).usable(2) == 10
    assert history((2, 10, False), (4, 50, True)).usable(4) == 50
    assert history((2, 10, True), (4, 50, False)).usable(2) == 10


def test_a_share_is_noted_only_where_it_changes() -> None:
    assert not history((0, 0, True)).entries  # as it was before
    shares = history((0, 0, False), (1, 5, False), (2, 5, False), (3, 5, True), (4, 5, True), (5, 6, True))
    assert [(entry.position, entry.mine, entry.alone) for entry in shares.entries] == [
        *((0, 0, False), (1, 5, False)),
        *((3, 5, True), (5, 6, True)),
    ]


def test_what_held_up_to_a_position_is_forgotten_and_what_holds_from_it_on_is_kept() -> None:
    shares = history((2, 10, False), (4, 20, False), (6, 30, False))
    shares.forget_before(3)
    assert [entry.position for entry in shares.entries] == [2, 4, 6]
    shares.forget_before(4)
    assert [entry.position for entry in shares.entries] == [4, 6]
    shares.forget_before(100)
    assert [entry.position for entry in shares.entries] == [6]


def test_the_oldest_position_is_the_last_known_as_long_ago_as_is_asked() -> None:
    moments = _Moments(2.0)
    assert moments.oldest(100.0) == -1
    for now, position in ((10.0, 5), (11.0, 6), (12.0, 7)):
        moments.note(now, position)
    assert [moments.oldest(now) for now in (11.5, 12.0, 12.5, 13.0, 13.5, 14.0, 99.0)] == [-1, 5, 5, 6, 6, 7, 7]


def test_moments_before_the_oldest_that_is_asked_for_are_forgotten() -> None:
    moments = _Moments(2.0)
    for number in range(100):
        moments.note(float(number), number)
    assert len(moments._known) == 3
    assert moments.oldest(99.0) == 97
    assert (moments.by(97.0), moments.by(96.9)) == (97, None)


def test_a_position_known_too_soon_after_another_is_left_out() -> None:
    moments = _Moments(10.0, step=0.5)
    for now, position in ((1.0, 1), (1.25, 2), (1.5, 3), (1.75, 4)):
        moments.note(now, position)
    assert [moments.by(now) for now in (0.5, 1.0, 1.25, 1.5, 2.0)] == [None, 1, 1, 3, 3]


def test_without_a_step_every_position_is_kept_and_the_last_of_a_moment_counts() -> None:
    moments = _Moments(10.0)
    for now, position in ((1.0, 1), (1.0, 2), (1.5, 3)):
        moments.note(now, position)
    assert [moments.by(now) for now in (1.0, 1.25, 1.5)] == [2, 2, 3]
