"""Pages of a catalog or tag list: the Link header read, the cursor kept, the end believed only when it is one. Pure."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from shared.errors import PermanentError
from shared.registry.errors import AnswerUnusable, CursorLost, CursorStuck

_LINK: Final = re.compile(r'<([^<>]*)>((?:[^,"<]|"(?:[^"\\]|\\.)*"?)*)')
_REL: Final = re.compile(r';[ \t]*rel[ \t]*=[ \t]*(?:"([^"]*)"?|([^\s;,"]+))', re.IGNORECASE)
_CURSORS: Final = ("last", "next_page")
"""Query parameters that say where a page starts: of the OCI distribution spec, and Quay's."""


Start: TypeAlias = tuple[str, str]
"""A query parameter and its value: after which entry a page starts."""


@dataclass(frozen=True)
class Page:
    """names: in the registry's order.  cursor: opaque, asks for the next page; None on the last."""

    names: tuple[str, ...]
    cursor: str | None


@dataclass(frozen=True)
class Cursor:
    """Where a page starts.

    parameter, value: as the registry's link has them.  before: the entry before that one, None when it is the first.
    page: its number, from 0.  by_name: the value is an entry's name.
    """

    parameter: str
    value: str
    before: str | None
    page: int
    by_name: bool

    @property
    def start(self) -> Start:
        return self.parameter, self.value

    @property
    def earlier_start(self) -> Start | None:
        """What to ask with to get the page from the cursor's own entry on; None = from the beginning."""
        return None if self.before is None else ("last", self.before)

    def __str__(self) -> str:
        return json.dumps([self.parameter, self.value, self.before, self.page, self.by_name], separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Return the cursor that printed as `text`. Raises PermanentError for anything else."""
        try:
            parameter, value, before, page, by_name = json.loads(text)
            cursor = cls(parameter, value, before, page, by_name)
            if str(cursor) == text and parameter in _CURSORS and isinstance(value, str) and isinstance(page, int):
                return cursor
        except (ValueError, TypeError):
            pass
        raise PermanentError("A page's cursor is not one of ours. Load again.", reason="cursor_invalid")


def next_link(headers: Iterable[str], host: str) -> Start | None:
    """Return (parameter, value) of the link to the next page, None without one.

    headers: all Link headers. Only the cursor is taken: the address is built on our own base, since registries
    behind proxies give wrong ones, and hostile ones could name any.
    Raises AnswerUnusable for a link that cannot be read: going on without it would lose names in silence.
    Source: RFC 8288; OCI distribution-spec, Listing Tags.
    """
    for header in headers:
        links = _LINK.findall(header)
        if header.strip() and not links:
            raise _unreadable(host)
        for target, parameters in links:
            if "next" in _relations(parameters):
                return _cursor_of(target, host)
    return None


def next_cursor(
    current: Cursor | None, link: Start | None, names: tuple[str, ...], host: str, most_pages: int
) -> Cursor | None:
    """Return the cursor of the page after this one, None after the last.

    current: this page's.  names: on this page.  most_pages: the longest listing believed.
    Raises CursorStuck if the cursor does not advance, or pages do not come to an end.
    """
    if link is None:
        return None
    parameter, value = link
    if current and current.start == link:
        raise CursorStuck(
            f"{host} gives the same page's link again and again. Raise the page size, or have the registry looked at.",
            reason="cursor_stuck",
        )
    page = current.page + 1 if current else 1
    if page >= most_pages:
        raise CursorStuck(
            f"{host} still has a next page after {most_pages} pages. Raise the connection's page size, or "
            "TALLYMAN_LISTING_PAGES if the registry really is that large.",
            reason="pages_endless",
        )
    can_look_back = len(names) > 1 or current is None or current.by_name
    by_name = parameter == "last" and names[-1:] == (value,) and can_look_back
    before = names[-2] if len(names) > 1 else current.value if current else None
    return Cursor(parameter, value, before, page, by_name)


def names_after(cursor: Cursor, names: tuple[str, ...], host: str) -> tuple[str, ...]:
    """Return what follows the cursor's entry on a page that starts one entry earlier.

    An empty page reached by a cursor is the end, or the cursor's entry was deleted: zot answers both alike.
    Raises CursorLost when the entry is no longer there.
    """
    if cursor.value not in names:
        raise cursor_lost(host)
    return names[names.index(cursor.value) + 1 :]


def cursor_lost(host: str) -> CursorLost:
    return CursorLost(
        f"{host} lost the place in a listing: the entry to go on from was deleted meanwhile. Load again.",
        reason="cursor_lost",
    )


def _relations(parameters: str) -> list[str]:
    match = _REL.search(parameters)
    return (match[1] or match[2] or "").lower().split() if match else []


def _cursor_of(target: str, host: str) -> Start:
    try:
        query = dict(reversed(parse_qsl(urlsplit(target).query, keep_blank_values=True)))
    except ValueError as error:
        raise _unreadable(host) from error
    for parameter in _CURSORS:
        if query.get(parameter):
            return parameter, query[parameter]
    raise _unreadable(host)


def _unreadable(host: str) -> AnswerUnusable:
    return AnswerUnusable(
        f"{host} gives a link to the next page that cannot be read. Have the registry, or the proxy before it, "
        "looked at.",
        reason="link_unreadable",
    )
