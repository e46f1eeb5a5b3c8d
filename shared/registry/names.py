"""Names as registries list them: usable as they are, or the listing is incomplete."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from shared.oci.digest import Digest
from shared.registry.errors import BadName

_LONGEST: Final = 1024
_UNUSABLE: Final = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")


def check_names(host: str, names: Iterable[str]) -> tuple[str, ...]:
    """Return the names.

    Raises BadName, naming the first that holds a control character or bytes that are not UTF-8, is empty, too
    long, or has an empty, `.` or `..` part: dropped in silence it would look absent, and asked for it would lead
    to another address.
    """
    checked = tuple(names)
    for name in checked:
        if _is_unusable(name):
            shown = name[:80].encode("utf-8", "backslashreplace").decode().encode("unicode_escape").decode()
            raise BadName(
                f"{host} lists a name that cannot be used: '{shown}'. Rename or delete it in the registry; until then "
                "nothing in this listing counts as absent.",
                reason="name_unusable",
            )
    return checked


@lru_cache(maxsize=1000)  # one name leads to thousands of requests
def repository_path(repository: str) -> str:
    """Return a repository's name as part of a URL's path."""
    return quote(repository, safe="/")


def tag_path(reference: str) -> str:
    """Return a tag or digest as one segment of a URL's path."""
    return reference if isinstance(reference, Digest) else quote(reference, safe=":")


def _is_unusable(name: str) -> bool:
    parts = name.split("/")
    return not 0 < len(name) <= _LONGEST or bool(_UNUSABLE.search(name)) or any(p in ("", ".", "..") for p in parts)
