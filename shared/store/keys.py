"""Keys to look up many at once: a query sees them as a table `keys`.

They travel as rows, not as parameters: a server refuses a parameter of some thousand names.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from shared.oci.digest import Digest

Value: TypeAlias = str | int | Digest

KEYS: Final = "keys"
FORMAT: Final = "RowBinary"


@dataclass(frozen=True, slots=True)
class Keys:
    """Rows of a table `keys`. columns: name → type of the values, str, int or Digest."""

    columns: Mapping[str, type[Value]]
    rows: Collection[tuple[Value, ...]]

    @property
    def structure(self) -> list[str]:
        """Each column's name and ClickHouse type."""
        return [f"{name} {_TYPES[type_]}" for name, type_ in self.columns.items()]

    def literals(self) -> str:
        """Return the rows as literal tuples of SQL."""
        return ", ".join("(" + ", ".join(map(_literal, row)) + ")" for row in self.rows)

    def body(self) -> bytes:
        """Return the rows in ClickHouse's RowBinary format."""
        return b"".join(_binary(value) for row in self.rows for value in row)


_TYPES: Final[dict[type[Value], str]] = {str: "String", int: "UInt64", Digest: "FixedString(32)"}


def _literal(value: Value) -> str:
    if isinstance(value, Digest):
        return f"unhex('{value.hex}')"
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
