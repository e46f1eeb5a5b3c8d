"""Scope: what a connection's filters leave in. What they leave out is neither present nor absent. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from shared.messages.connection_changed import Connection
from shared.messages.patterns import matches
from shared.messages.tags_found import FoundTag

_OLDEST: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Scoped:
    """tags: in scope, in the order they were listed.  out: names of those that are not."""

    tags: tuple[FoundTag, ...]
    out: tuple[str, ...]


def is_repository_in_scope(connection: Connection, repository: str) -> bool:
    """Return whether the connection's patterns let a repository through; exclude wins, no include is all."""
    return _is_in(repository, connection.include, connection.exclude)


def is_tag_in_scope(connection: Connection, tag: str) -> bool:
    """Return whether the connection's patterns let a tag through; exclude wins, no include is all."""
    return _is_in(tag, connection.include_tags, connection.exclude_tags)


def scoped(connection: Connection, tags: Iterable[FoundTag]) -> Scoped:
    """Return the tags that the patterns let through, and the names of the others."""
    kept, out = [], []
    for tag in tags:
        if is_tag_in_scope(connection, tag.name):
            kept.append(tag)
        else:
            out.append(tag.name)
    return Scoped(tuple(kept), tuple(out))


def scoped_whole(connection: Connection, tags: Iterable[FoundTag]) -> Scoped:
    """Return the tags of a whole listing that are in scope: by the patterns, then the newest of those.

    Tags without a date count as oldest; of equals the first by name are kept. Where no tag has a date, the product
    tells none, and there are no newest.
    """
    by_name = scoped(connection, tags)
    most = connection.newest_tags
    if most is None or not any(tag.created for tag in by_name.tags):
        return by_name
    newest = sorted(sorted(by_name.tags, key=lambda tag: tag.name), key=_age)[:most]
    names = {tag.name for tag in newest}
    kept = tuple(tag for tag in by_name.tags if tag.name in names)
    return Scoped(kept, (*by_name.out, *(tag.name for tag in by_name.tags if tag.name not in names)))


def _age(tag: FoundTag) -> float:
    return -((tag.created or _OLDEST) - _OLDEST).total_seconds()


def _is_in(name: str, include: tuple[str, ...], exclude: tuple[str, ...]) -> bool:
    return not matches(exclude, name) and (not include or matches(include, name))
