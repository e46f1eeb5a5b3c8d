"""Messages held back after an unexpected error."""

from shared.pipeline.suspects import Suspects


def test_suspects_are_given_out_once_a_later_message_succeeded() -> None:
    suspects: Suspects[str] = Suspects(3)
    error = KeyError("x")
    suspects.hold("a", error)
    assert suspects.convict() == [("a", error)]
    assert suspects.convict() == []


def test_so_many_in_a_row_are_our_own_fault() -> None:
    suspects: Suspects[int] = Suspects(3)
    assert [suspects.hold(number, KeyError()) for number in range(3)] == [False, False, True]


def test_a_success_between_ends_the_row() -> None:
    suspects: Suspects[int] = Suspects(2)
    suspects.hold(1, KeyError())
    suspects.convict()
    assert not suspects.hold(2, KeyError())


def test_what_will_be_delivered_again_is_forgotten() -> None:
    suspects: Suspects[str] = Suspects(2)
    suspects.hold("gone", KeyError())
    suspects.forget(lambda suspect: suspect == "gone")
    assert suspects.convict() == []
