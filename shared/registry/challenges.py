"""What a 401 asks for: the challenges of its WWW-Authenticate headers. Pure; any text in, no error out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

_PARAMETER: Final = re.compile(r'([A-Za-z0-9_-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"?|([^\s,"]+))')
_SCHEME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?=[\s,]|$)")
_ESCAPED: Final = re.compile(r"\\(.)")


@dataclass(frozen=True)
class Challenge:
    """scheme: in lower case.  parameters: realm, service, scope, error…, names in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def parse_challenges(headers: Iterable[str]) -> tuple[Challenge, ...]:
    """Return the challenges in order. Headers may repeat, hold several challenges, or be empty.

    Forgiving where registries are careless: some leave the realm unquoted, some send an empty header.
    Source: RFC 9110, WWW-Authenticate.
    """
    return tuple(challenge for header in headers for challenge in _parse(header))


def _parse(header: str) -> list[Challenge]:
    found: list[tuple[str, dict[str, str]]] = []
    at = 0
    while at < len(header):
        if (parameter := _PARAMETER.match(header, at)) and found:
            name, quoted, bare = parameter.groups()
            value = bare if quoted is None else _ESCAPED.sub(r"\1", quoted)
            found[-1][1].setdefault(name.lower(), value)
            at = parameter.end()
        elif scheme := _SCHEME.match(header, at):
            found.append((scheme.group().lower(), {}))
            at = scheme.end()
        else:
            at += 1
    return [Challenge(scheme, parameters) for scheme, parameters in found]
