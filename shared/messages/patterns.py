"""Patterns that say which repositories and tags are in scope: shell patterns, or `re:` and an expression.

Expressions are RE2's: names come from registries, and no name can make one run for ever.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import Annotated, Any, Final

import re2
from pydantic import AfterValidator, StringConstraints

EXPRESSION: Final = "re:"

_QUIET: Final = re2.Options()
_QUIET.log_errors = False


def _compiles(pattern: str) -> str:
    if pattern.startswith(EXPRESSION):
        try:
            _expression(pattern)
        except re2.error as error:
            raise ValueError(f"{pattern!r} is no regular expression (RE2 syntax): {_told(error)}") from error
    return pattern


Pattern = Annotated[str, StringConstraints(min_length=1, max_length=1024), AfterValidator(_compiles)]
"""Must match the whole name. In a shell pattern `*` matches slashes too: `team/*` is all below `team`."""


def matches(patterns: Iterable[str], name: str) -> bool:
    """Return whether any of the patterns matches the name; upper and lower case are told apart."""
    return any(_matches(pattern, name) for pattern in patterns)


def _matches(pattern: str, name: str) -> bool:
    if pattern.startswith(EXPRESSION):
        return _expression(pattern).fullmatch(name) is not None
    return fnmatchcase(name, pattern)


@lru_cache(maxsize=1000)
def _expression(pattern: str) -> Any:
    return re2.compile(pattern.removeprefix(EXPRESSION), _QUIET)


def _told(error: re2.error) -> str:
    told = error.args[0] if error.args else "it cannot be read"
    return told.decode("utf-8", "replace") if isinstance(told, bytes) else str(told)
