"""The headers of an answer. Source: RFC 9110, Field Values; RFC 9110, Field Lines and Combined Field Value."""

from collections.abc import Iterable, Iterator, Mapping


class Headers(Mapping[str, str]):
    """By name, in any case. What came more than once is told in one, with commas between; `get_list` tells it apart."""

    __slots__ = ("_values",)

    def __init__(self, lines: Iterable[tuple[str, str]] | Mapping[str, str] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in lines.items() if isinstance(lines, Mapping) else lines:
            self._values.setdefault(name.lower(), []).append(value)

    def get_list(self, name: str) -> list[str]:
        """Return what came by this name, line by line."""
        return self._values.get(name.lower(), [])

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._values[name.lower()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


def decoded(raw: bytes) -> str:
    """Return a field as text: ASCII in principle, UTF-8 where somebody left a name raw, else byte for byte."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
