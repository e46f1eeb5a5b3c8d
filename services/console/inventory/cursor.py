"""Keyset pagination: a page begins after the last row of the one before, whatever was added or removed meanwhile."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from shared.errors import PermanentError

Key = tuple[str | int, ...]
_LONGEST: Final = 4096


class CursorInvalid(PermanentError):  # says what has happened
    """A cursor is not one that was given for this list in this order."""

    def __init__(self) -> None:
        super().__init__(
            "The cursor is not one of this list in this order: begin again without one.", reason="cursor_invalid"
        )


@dataclass(frozen=True)
class Order:
    """name: of the order, as the person chose it.  columns: SQL of each part of the key, with its type."""

    name: str
    columns: tuple[tuple[str, str], ...]
    descending: bool = False

    @property
    def key(self) -> str:
        """SQL of the key, a tuple."""
        return f"({', '.join(sql for sql, _ in self.columns)})"

    @property
    def clause(self) -> str:
        way = "DESC" if self.descending else "ASC"
        return ", ".join(f"{sql} {way}" for sql, _ in self.columns)

    def after(self, cursor: str | None) -> tuple[str, dict[str, Any]]:
        """Return the condition that a page's rows fulfil, and its parameters. Raises CursorInvalid."""
        if cursor is None:
            return "true", {}
        values = self._values(cursor)
        names = [f"{{after{number}:{kind}}}" for number, (_, kind) in enumerate(self.columns)]
        sign = "<" if self.descending else ">"
        return f"{self.key} {sign} ({', '.join(names)})", {f"after{n}": value for n, value in enumerate(values)}

    def cursor(self, key: Sequence[Any]) -> str:
        """Return the cursor of what comes after the row with this key."""
        text = json.dumps([self.name, *key], separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def _values(self, cursor: str) -> Key:
        try:
            if len(cursor) > _LONGEST:
                raise CursorInvalid
            padded = cursor + "=" * (-len(cursor) % 4)
            name, *values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, TypeError) as error:
            raise CursorInvalid from error
        fits = len(values) == len(self.columns) and all(map(_fits, values, (kind for _, kind in self.columns)))
        if name != self.name or not fits:
            raise CursorInvalid
        return tuple(values)


def _fits(value: object, kind: str) -> bool:
    if kind == "String":
        return isinstance(value, str) and value.isprintable()
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63
