"""The two words for failure, and what they mean to the worker loop.

    TallymanError
    ├── SettingsError      a setting is wrong: the start stops with this sentence
    ├── PermanentError     this unit cannot work: recorded as failed, dead-lettered
    └── TransientError     may work later: tried again in place, with backoff

Anything else that is raised is our bug. Texts are for people: one sentence, what was wrong and what to do.
They never hold a password, a token or a header value.
"""

from typing import Final


class TallymanError(Exception):
    """An error with a sentence for a person (`str(error)`) and a short constant for machines (`reason`)."""

    def __init__(self, sentence: str, *, reason: str) -> None:
        super().__init__(sentence)
        self.reason: Final = reason


class SettingsError(TallymanError):
    """A setting is wrong or two settings contradict each other."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, reason="settings")


class PermanentError(TallymanError):
    """This unit cannot work, however often it is tried: malformed, mismatched, forbidden."""


class TransientError(TallymanError):
    """May work later.

    retry_after_seconds: what the other side asked for, if it did.
    waits: True where giving up is no answer (the store is down): tried again until it works.
    """

    def __init__(
        self, sentence: str, *, reason: str, retry_after_seconds: float | None = None, waits: bool = False
    ) -> None:
        super().__init__(sentence, reason=reason)
        self.retry_after_seconds: Final = retry_after_seconds
        self.waits: Final = waits
