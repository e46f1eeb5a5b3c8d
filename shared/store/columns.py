"""How a row's fields become columns and come back: by each field's type, so that no name is typed twice."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
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


Convert = Callable[[Iterable[Any]], list[Any]]
"""Of a whole column: the calls of a function for each value were most of what it took."""


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A field: its name, what makes of its values what the store takes, and the way back."""

    name: str
    encode: Convert
    decode: Convert


def _digests(digests: Iterable[Digest | None]) -> list[bytes]:
    return [bytes.fromhex(digest[7:]) if digest else _NO_DIGEST for digest in digests]


def _read_digests(raw: Iterable[bytes]) -> list[Digest]:
    return list(map(Digest.from_raw, raw))


def _read_digests_or_none(raw: Iterable[bytes]) -> list[Digest | None]:
    return [None if each == _NO_DIGEST else Digest.from_raw(each) for each in raw]


def _moments(moments: Iterable[datetime | None]) -> list[datetime | None]:
    """Return the moments, None for those outside of what the store can hold."""
    return [moment if moment and _EARLIEST <= moment < _LATEST else None for moment in moments]


def _sizes(sizes: Iterable[int | None]) -> list[int | None]:
    return [size if size is not None and 0 <= size <= _LARGEST else None for size in sizes]


def _names(values: Iterable[tuple[str, ...]]) -> list[list[str]]:
    return list(map(list, values))


def _read_names(values: Iterable[list[str]]) -> list[tuple[str, ...]]:
    return list(map(tuple, values))


def _failures(values: Iterable[tuple[Failure, ...]]) -> list[list[tuple[str, str, str]]]:
    return [[(failure.what, failure.reason, failure.detail) for failure in failures] for failures in values]


def _read_failures(values: Iterable[Iterable[dict[str, str]]]) -> list[tuple[Failure, ...]]:
    return [tuple(Failure(**failure) for failure in failures) for failures in values]


_BY_TYPE: Final[dict[Any, tuple[Convert, Convert]]] = {
    str: (list, list),
    int: (list, list),
    bool: (list, list),
    datetime: (list, list),
    Digest: (_digests, _read_digests),
    Digest | None: (_digests, _read_digests_or_none),
    datetime | None: (_moments, list),
    int | None: (_sizes, list),
    tuple[str, ...]: (_names, _read_names),
    tuple[Failure, ...]: (_failures, _read_failures),
}


@lru_cache
def columns_of(row: type[Row]) -> tuple[Column, ...]:
    """Return the columns of a row class, in the order of its fields."""
    types = get_type_hints(row)
    return tuple(Column(field.name, *_BY_TYPE[types[field.name]]) for field in dataclasses.fields(row))


def names_of(row: type[Row]) -> str:
    """Return the columns' names as a SELECT lists them; quoted, since some are key words."""
    return ", ".join(f"`{column.name}`" for column in columns_of(row))


def encode(rows: Sequence[Row]) -> list[list[Any]]:
    """Return the columns' values, column by column. rows: all of one class, at least one."""
    return [column.encode(map(attrgetter(column.name), rows)) for column in columns_of(type(rows[0]))]


def decode(row: type[R], values: Iterable[Sequence[Any]]) -> list[R]:
    """Return rows of this class from result rows that hold its columns in order."""
    columns = columns_of(row)
    by_column = tuple(zip(*values, strict=True))
    if not by_column:  # there are no rows
        return []
    return list(map(row, *(column.decode(value) for column, value in zip(columns, by_column, strict=True))))
