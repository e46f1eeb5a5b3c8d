"""What can go wrong with the store, in the two words of shared.errors."""

import re
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
SIGN_IN_CODES: Final = frozenset((192, 193, 516))
UNKNOWN_DATABASE: Final = 81
_LONGEST: Final = 300


class StoreUnavailable(TransientError):  # noqa: N818  # reads as what it tells: the store is unavailable
    """The store does not answer. Giving up is no answer: waited for until it does."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, reason=REASON_UNAVAILABLE, waits=True)


class StoreError(PermanentError):
    """The store answered and refused. code: ClickHouse's number of the error, None where it has none."""

    def __init__(self, sentence: str, reason: str = REASON_STORE, code: int | None = None) -> None:
        super().__init__(sentence, reason=reason)
        self.code: Final = code


class NotReadOnly(StoreError):  # noqa: N818  # reads as what it tells
    """A statement for the read-only door that is not one read-only statement."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, REASON_NOT_READ_ONLY)


def code_of(error: ClickHouseError) -> int | None:
    """Return ClickHouse's number of an error, None where the answer held none."""
    return error.code if isinstance(error, Error) else None


def translated(error: ClickHouseError, where: str) -> TallymanError:
    """Return what a driver's error means to us. where: the store, as in "The store at HOST"."""
    code = code_of(error)
    if code in _PASSING:
        return StoreUnavailable(f"{where} cannot work now: {_PASSING[code]}. It is tried again.")
    if code is None:
        return StoreUnavailable(f"{where} does not answer ({_cause(error)}). Check that it runs and can be reached.")
    return StoreError(f"{where} refused a statement: {_short(str(error))}", code=code)


def _cause(error: BaseException) -> str:
    """Return the innermost reason: what is wrapped around it are addresses and attempts."""
    while inner := error.__cause__ or getattr(error, "reason", None):
        if not isinstance(inner, BaseException):
            break
        error = inner
    return _short(str(error)) or type(error).__name__


def _short(text: str) -> str:
    text = re.sub(r"\s+", " ", re.sub(r"\(version .*\)|Code: \d+\. DB::Exception: ", "", text)).strip()
    return text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
