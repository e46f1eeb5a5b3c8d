"""How an image is named: to pull it, and as a package. No I/O.

Source: OCI distribution-spec (pulling by digest); purl-spec, type `oci`.
"""

from functools import lru_cache
from urllib.parse import quote

from shared.oci.digest import Digest


def reference(host: str, repository: str, digest: Digest) -> str:
    """Return how to pull it, by digest: registry.example.com/team/app@sha256:…  host: with its protocol."""
    return f"{_pull_name(host, repository)}@{digest}"


def purl(host: str, repository: str, digest: Digest, architecture: str) -> str:
    """Return its package URL; an architecture that is not told is left out."""
    before, after = _around_digest(host, repository, architecture)
    return f"{before}{digest[7:]}{after}"


@lru_cache(maxsize=1000)  # a repository's images come together, and architectures are few
def _around_digest(host: str, repository: str, architecture: str) -> tuple[str, str]:
    name = repository.rpartition("/")[2].lower()
    qualifiers = {"arch": architecture, "repository_url": _pull_name(host, repository)}
    query = "&".join(f"{key}={quote(value, safe='')}" for key, value in qualifiers.items() if value)
    return f"pkg:oci/{quote(name, safe='')}@sha256%3A", f"?{query}"


@lru_cache(maxsize=1000)
def _pull_name(host: str, repository: str) -> str:
    return f"{host.partition('://')[2]}/{repository}"
