"""What a dead letter tells."""

from dataclasses import dataclass

import pytest

from shared.errors import PermanentError
from shared.pipeline.dead_letters import Header, dead_letter_headers, frames


@dataclass(frozen=True)
class Origin:
    topic: str = "tags.found"
    partition: int = 3
    offset: int = 42
    timestamp: int = 1_700_000_000_000


def _raised(error: Exception) -> Exception:
    with pytest.raises(type(error)) as caught:
        raise error
    return caught.value


def test_a_foreseen_error_is_told_with_its_sentence_and_reason() -> None:
    headers = dict(dead_letter_headers("manifester", Origin(), PermanentError("It is malformed.", reason="malformed")))
    assert headers == {
        "stage": b"manifester",
        "reason": b"malformed",
        "error": b"It is malformed.",
        "topic": b"tags.found",
        "partition": b"3",
        "offset": b"42",
        "first_seen": b"1700000000000",
    }


def test_an_unexpected_error_is_told_by_name_and_frames_never_by_its_text() -> None:
    headers = dict(dead_letter_headers("tagger", Origin(), _raised(KeyError("hunter2"))))
    assert headers[Header.REASON] == b"unexpected_error"
    assert headers[Header.ERROR] == b"KeyError"
    assert b"test_dead_letters.py" in headers[Header.TRACEBACK]
    assert b"hunter2" not in b"".join(headers.values())


def test_the_error_behind_the_error_is_told_too() -> None:
    inner = _raised(ValueError("inner"))
    outer = RuntimeError("outer")
    outer.__cause__ = inner
    told = frames(_raised(outer))
    assert told.index("RuntimeError") < told.index("ValueError")


def test_errors_that_lead_back_to_each_other_come_to_an_end() -> None:
    one, two = ValueError(), KeyError()
    one.__cause__, two.__cause__ = two, one
    assert frames(one).splitlines() == ["ValueError", "KeyError"]


def test_a_traceback_without_end_is_cut_to_its_last_part() -> None:
    def deep(left: int) -> None:
        if left:
            wider(left)
        else:
            raise KeyError

    def wider(left: int) -> None:  # two functions, since Python folds the frames of one
        deep(left - 1)

    try:
        deep(200)
    except KeyError as error:
        told = frames(error)
    assert len(told) <= 16 * 1024 + 1
    assert told.endswith("KeyError")
