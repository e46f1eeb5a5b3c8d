"""Keys to look up many at once: a query has `(columns) IN {keys}`, and each way in puts there what it likes best.

Never parameters: a server refuses a parameter of some thousand names.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from shared.oci.digest import Digest

Value: TypeAlias = str | int | Digest

PLACE: Final = "{keys}"
"""Where a query wants the set of keys."""
KEYS: Final = "keys"
"""The table they lie in, where there is one."""
FORMAT: Final = "RowBinary"


@dataclass(frozen=True, slots=True)
class Keys:
    """What to look up. columns: name → type of the values, str, int or Digest.  rows: values in their order."""

    columns: Mapping[str, type[Value]]
    rows: Collection[tuple[Value, ...]]

    @property
    def structure(self) -> list[str]:
        """Each column's name and ClickHouse type."""
        return [f"{name} {_TYPES[type_]}" for name, type_ in self.columns.items()]

    def literals(self) -> str:
        """Return the set as literal tuples of SQL: for the engine half the work of a table."""
        return "(" + ", ".join("(" + ", ".join(map(_literal, row)) + ")" for row in self.rows) + ")"

    def selected(self) -> str:
        """Return the set as a query of the table."""
        return f"(SELECT {', '.join(self.columns)} FROM {KEYS})"

    def body(self) -> bytes:
        """Return the rows in ClickHouse's RowBinary format."""
        return b"".join(_binary(value) for row in self.rows for value in row)


_ESCAPED: Final = tuple(f"\\x{byte:02x}" for byte in range(256))
_TYPES: Final[dict[type[Value], str]] = {str: "String", int: "UInt64", Digest: "FixedString(32)"}


def _literal(value: Value) -> str:
    if isinstance(value, Digest):
        return "'" + "".join(_ESCAPED[byte] for byte in value.raw) + "'"
    if isinstance(value, int):
        return str(value)
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _binary(value: Value) -> bytes:
    if isinstance(value, Digest):
        return value.raw
    if isinstance(value, int):
        return value.to_bytes(8, "little")
    text = value.encode()
    return _varint(len(text)) + text


def _varint(number: int) -> bytes:
    """Return the number in unsigned LEB128."""
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
