"""Few tries a minute from one address, not many more from all."""

from services.console.doors.attempts import FAILURES, FAILURES_OF_ALL, SECONDS, Attempts


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_after_some_failures_an_address_waits_until_the_first_is_a_minute_old() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(FAILURES):
        assert attempts.wait_seconds("a") == 0
        attempts.failed("a")
        clock.now += 1
    assert attempts.wait_seconds("a") == SECONDS - FAILURES
    assert attempts.wait_seconds("b") == 0
    clock.now = SECONDS
    assert attempts.wait_seconds("a") == 0


def test_a_success_forgets_the_failures() -> None:
    attempts = Attempts(Clock())
    for _ in range(FAILURES):
        attempts.failed("a")
    attempts.succeeded("a")
    assert attempts.wait_seconds("a") == 0


def test_those_who_know_the_password_lock_nobody_out() -> None:
    attempts = Attempts(Clock())
    for _ in range(3 * FAILURES_OF_ALL):
        attempts.failed("a")
        attempts.succeeded("a")
    assert attempts.wait_seconds("b") == 0


def test_many_addresses_together_are_limited_too() -> None:
    attempts = Attempts(Clock())
    for number in range(FAILURES_OF_ALL):
        attempts.failed(f"address {number}")
    assert attempts.wait_seconds("one more") == SECONDS


def test_addresses_do_not_fill_the_memory() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for number in range(20_000):
        clock.now += 60
        attempts.wait_seconds("x")
        attempts.failed(f"address {number}")
    assert len(attempts._by_address) <= 10_000
