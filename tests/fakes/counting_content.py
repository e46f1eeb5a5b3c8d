"""What a counting registry holds: made from names, so that millions of tags take no memory."""

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

_CONFIG: Final = b'{"architecture":"amd64","os":"linux","created":"2026-01-01T00:00:00Z"}'
_MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"
_PAGE: Final = 100


@dataclass(frozen=True)
class Content:
    """repositories, tags: how many, and how many of each."""

    repositories: int
    tags: int

    @property
    def images(self) -> int:
        return self.repositories * self.tags

    def catalog(self) -> bytes:
        return _json({"repositories": [f"app-{number:05}" for number in range(self.repositories)]})

    def page(self, repository: str, last: str) -> tuple[bytes, str | None]:
        """Return a page of tags after the tag `last`, and the address of the next one."""
        first = int(last.removeprefix("1.")) + 1 if last else 0
        end = min(first + _PAGE, self.tags)
        tags = [f"1.{number:05}" for number in range(first, end)]
        link = f"/v2/{repository}/tags/list?n={_PAGE}&last={tags[-1]}" if end < self.tags else None
        return _json({"name": repository, "tags": tags}), link

    def config(self) -> bytes:
        return _CONFIG


@lru_cache(maxsize=4096)
def manifest(repository: str, tag: str) -> tuple[bytes, str]:
    """Return an image's manifest and its digest; each image's is its own."""
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "size": len(_CONFIG), "digest": digest(_CONFIG)}
    body = _json(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST_TYPE,
            "config": config,
            "layers": [],
            "annotations": {"image": f"{repository}:{tag}"},
        }
    )
    return body, digest(body)


def digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def media_type() -> str:
    return _MANIFEST_TYPE


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
