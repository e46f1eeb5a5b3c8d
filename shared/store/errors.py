"""What can go wrong with the store, in the two words of shared.errors."""

from typing import Final

from shared.errors import PermanentError, TransientError

REASON_UNAVAILABLE: Final = "store_unavailable"
REASON_STORE: Final = "store_failed"
REASON_NOT_READ_ONLY: Final = "sql_not_read_only"


class StoreUnavailable(TransientError):
    """The store does not answer. Giving up is no answer: waited for until it does."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, reason=REASON_UNAVAILABLE, waits=True)


class StoreError(PermanentError):
    """The store answered and refused."""

    def __init__(self, sentence: str, reason: str = REASON_STORE) -> None:
        super().__init__(sentence, reason=reason)


class NotReadOnly(StoreError):
    """A statement for the read-only door that is not one read-only statement."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, REASON_NOT_READ_ONLY)
