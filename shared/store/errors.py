"""What can go wrong with the store, in the two words of shared.errors."""

import re
from collections.abc import Iterator
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError, Error

from shared.errors import PermanentError, TallymanError, TransientError

REASON_UNAVAILABLE: Final = "store_unavailable"
REASON_STORE: Final = "store_failed"
REASON_NOT_READ_ONLY: Final = "sql_not_read_only"

# ClickHouse's codes that a later try, or an operator, can make go away; src/Common/ErrorCodes.cpp.
_PASSING: Final = {
    81: "the database does not exist",
    159: "a query took too long",
    192: "the user is not known",
    193: "the password is wrong",
    202: "too many queries run at once",
    209: "the network timed out",
    210: "the network failed",
    236: "the query was interrupted",
    241: "it is out of memory",
    243: "it is out of disk space",
    252: "it is behind with merging",
    373: "the session is busy",
    425: "the system refused a call",
    516: "user name or password are wrong",
}
_LONGEST: Final = 300
_NOISE: Final = re.compile(
    r"\(version .*\)|Code: \d+\. DB::Exception: |Received ClickHouse exception, code: \d+, server response: "
)


class StoreUnavailable(TransientError):
    """The store does not answer, or cannot work now. Giving up is no answer: waited for until it does.

    code: ClickHouse's number of the error, None where it did not answer.
    """

    def __init__(self, sentence: str, code: int | None = None) -> None:
        super().__init__(sentence, reason=REASON_UNAVAILABLE, waits=True)
        self.code: Final = code


class StoreError(PermanentError):
    """The store answered and refused. code: ClickHouse's number of the error, None where it has none."""

    def __init__(self, sentence: str, reason: str = REASON_STORE, code: int | None = None) -> None:
        super().__init__(sentence, reason=reason)
        self.code: Final = code


class NotReadOnly(StoreError):
    """A statement for the read-only door that is not one read-only statement."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, REASON_NOT_READ_ONLY)


def translated(error: ClickHouseError, where: str) -> TallymanError:
    """Return what a driver's error means to us. where: the store, as a sentence names it."""
    code = error.code if isinstance(error, Error) else None
    if code in _PASSING:
        return StoreUnavailable(f"{where} cannot work now: {_PASSING[code]}. It is tried again.", code)
    if code is None:
        cause = innermost(error)
        told = _short(str(cause)) or type(cause).__name__
        return StoreUnavailable(f"{where} does not answer ({told}). Check that it runs and can be reached.")
    return StoreError(f"{where} refused a statement: {_short(str(error))}", code=code)


def innermost(error: BaseException) -> BaseException:
    """Return the first cause: what is wrapped around it are addresses and attempts."""
    while inner := next(_causes(error), None):
        error = inner
    return error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield what an error says it comes from: Python's way, then urllib3's ways."""
    for cause in (error.__cause__, getattr(error, "reason", None), *error.args):
        if isinstance(cause, BaseException):
            yield cause


def _short(text: str) -> str:
    text = " ".join(_NOISE.sub("", text).split())
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
