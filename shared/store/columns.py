"""How a row's fields become columns and come back: by each field's type, so that no name is typed twice."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any, Final, TypeVar, get_type_hints

from shared.messages.model import Failure
from shared.oci.digest import Digest
from shared.store.rows import Row

R = TypeVar("R", bound=Row)

_NO_DIGEST: Final = bytes(32)
_LARGEST: Final = 2**63 - 1
# DateTime64 holds 1900 to 2299; images are built with the year 1 for "no date", and registries tell anything.
_EARLIEST, _LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2299, 1, 1, tzinfo=UTC)


Convert = Callable[[Any], Any] | None


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A field: its name, what makes of a value what the store takes, and the way back; None where both are alike."""

    name: str
    encode: Convert
    decode: Convert


def _encode_digest(digest: Digest | None) -> bytes:
    return digest.raw if digest else _NO_DIGEST


def _decode_digest(raw: bytes) -> Digest | None:
    return None if raw == _NO_DIGEST else Digest.from_raw(raw)


def _encode_moment(moment: datetime | None) -> datetime | None:
    """Return the moment, or None where it lies outside of what the store can hold."""
    return moment if moment and _EARLIEST <= moment < _LATEST else None


def _encode_size(size: int | None) -> int | None:
    return size if size is not None and 0 <= size <= _LARGEST else None


def _encode_failures(failures: Iterable[Failure]) -> list[tuple[str, str, str]]:
    return [(failure.what, failure.reason, failure.detail) for failure in failures]


def _decode_failures(failures: Iterable[dict[str, str]]) -> tuple[Failure, ...]:
    return tuple(Failure(**failure) for failure in failures)


_BY_TYPE: Final[dict[Any, tuple[Convert, Convert]]] = {
    str: (None, None),
    int: (None, None),
    bool: (None, None),
    datetime: (None, None),
    Digest: (_encode_digest, Digest.from_raw),
    Digest | None: (_encode_digest, _decode_digest),
    datetime | None: (_encode_moment, None),
    int | None: (_encode_size, None),
    tuple[str, ...]: (list, tuple),
    tuple[Failure, ...]: (_encode_failures, _decode_failures),
}


def columns_of(row: type[Row]) -> tuple[Column, ...]:
    """Return the columns of a row class, in the order of its fields."""
    types = get_type_hints(row)
    return tuple(Column(field.name, *_BY_TYPE[types[field.name]]) for field in dataclasses.fields(row))


def names_of(row: type[Row]) -> str:
    """Return the columns' names as a SELECT lists them; quoted, since some are key words."""
    return ", ".join(f"`{column.name}`" for column in columns_of(row))


def encode(rows: Sequence[Row]) -> list[list[Any]]:
    """Return the columns' values, column by column. rows: all of one class, at least one."""
    return [_converted(map(attrgetter(column.name), rows), column.encode) for column in columns_of(type(rows[0]))]


def decode(row: type[R], values: Iterable[Sequence[Any]]) -> list[R]:
    """Return rows of this class from result rows that hold its columns in order."""
    columns = columns_of(row)
    names = [column.name for column in columns]
    by_column = zip(*values, strict=True)  # empty where there are no rows
    decoded = [_converted(value, column.decode) for column, value in zip(columns, by_column, strict=False)]
    return [row(**dict(zip(names, fields, strict=True))) for fields in zip(*decoded, strict=True)]


def _converted(values: Iterable[Any], convert: Convert) -> list[Any]:
    return list(map(convert, values) if convert else values)
