"""SQL cut into tokens and statements, the way ClickHouse's lexer cuts it; stricter where the two could differ.

What could hide a statement from a reader of tokens is refused outright: heredocs, hex literals, typographic
quotes, unknown characters. Source: ClickHouse src/Parsers/Lexer.cpp.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.store.errors import StoreError


class Kind(StrEnum):
    """What a token is. `name`: an identifier in backticks or double quotes."""

    GAP = "gap"
    STRING = "string"
    NAME = "name"
    WORD = "word"
    NUMBER = "number"
    SYMBOL = "symbol"


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL; text is as written, start its place."""

    kind: Kind
    text: str
    start: int

    def is_word(self, *words: str) -> bool:
        """Say whether this is one of these key words (given in upper case), unquoted."""
        return self.kind is Kind.WORD and self.text.upper() in words

    def is_symbol(self, symbol: str) -> bool:
        return self.kind is Kind.SYMBOL and self.text == symbol

    @property
    def identifier(self) -> str | None:
        """The identifier this is, quotes taken off; None for other tokens."""
        if self.kind is Kind.WORD:
            return self.text
        return self.text[1:-1] if self.kind is Kind.NAME else None


_TOKEN: Final = re.compile(
    r"""
      (?P<gap>    [ \t\n\r\f\v]+ | --[^\n]* | \#[ !][^\n]* | /\*.*?\*/ )
    | (?P<string> ' (?: [^'\\] | \\. | '' )* ' )
    | (?P<name>   ` [^`\\]+ ` | " [^"\\]+ " )
    | (?P<number> [0-9][A-Za-z0-9_]* )
    | (?P<word>   [A-Za-z_][A-Za-z0-9_]* )
    | (?P<symbol> (?!/\*)[-+*/%=<>!()\[\]{},.;:?|@^~&] )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_QUOTED: Final = (Kind.STRING, Kind.NAME)
_LITERAL: Final = (Kind.WORD, Kind.NUMBER, Kind.STRING, Kind.NAME)


def tokens(sql: str) -> Iterator[Token]:
    """Yield the tokens of `sql`; comments and white space are left out.

    Raises StoreError at a character that starts no token (an unclosed quote or comment among them), and at a
    quote that touches what stands before it (`x'41'`, or a doubled quote in a name).
    """
    position, before = 0, Kind.GAP
    while position < len(sql):
        match = _TOKEN.match(sql, position)
        if match is None or match.lastgroup is None:
            raise _unreadable(sql, position)
        kind = Kind(match.lastgroup)
        if kind in _QUOTED and before in _LITERAL:
            raise _unreadable(sql, position)
        if kind is not Kind.GAP:
            yield Token(kind, match.group(), position)
        position, before = match.end(), kind


def split(sql: str) -> list[str]:
    """Return the statements of `sql`, each from its first token to its last, without the semicolon."""
    statements: list[str] = []
    first = last = None
    for token in [*tokens(sql), Token(Kind.SYMBOL, ";", len(sql))]:
        if not token.is_symbol(";"):
            first, last = first or token, token
        elif first and last:
            statements.append(sql[first.start : last.start + len(last.text)])
            first = last = None
    return statements


def _unreadable(sql: str, position: int) -> StoreError:
    line = sql.count("\n", 0, position) + 1
    return StoreError(
        f"The SQL cannot be read at line {line}, from {sql[position : position + 20]!r} on: close quotes and "
        "comments, put strings in plain single quotes, and names in double quotes or backticks without escapes."
    )
