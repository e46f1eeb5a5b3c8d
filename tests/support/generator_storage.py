"""A registry's storage, written and taken away from behind its back: Distribution's layout on a file system.

Ten thousand tags take seconds, not minutes; and Distribution has no API that deletes a repository, nor, before 3.0, a
tag. Works on a running registry whose blob cache is off. Source: Distribution, registry/storage/paths.go.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Final

from shared.oci.digest import Digest
from tests.support.generator import Estate


class Storage:
    """The storage below a registry's root directory."""

    def __init__(self, root: Path) -> None:
        top = root / "docker" / "registry" / "v2"
        self._repositories: Final = str(top / "repositories")
        self._blobs: Final = str(top / "blobs" / "sha256")
        self._made: Final[set[str]] = set()
        self._written: Final[set[str]] = set()

    def write(self, estate: Estate) -> None:
        """Write all repositories of the estate; what is there already stays."""
        for repository, tags in estate.repositories.items():
            self._directory(f"{self._repositories}/{repository}/_layers")
            self._directory(f"{self._repositories}/{repository}/_manifests/tags")
            for tag in tags:
                self.put_tag(estate, repository, tag)

    def put_tag(self, estate: Estate, repository: str, tag: str) -> None:
        """Write a tag as the estate has it, with all that it leads to: for tags that are new or were moved."""
        digest = estate.repositories[repository][tag]
        self._manifest(estate, repository, digest)
        link = f"{self._repositories}/{repository}/_manifests/tags/{tag}/current/link"
        self._written.discard(link)
        self._file(link, digest.encode())

    def delete_tag(self, repository: str, tag: str) -> None:
        """Take a tag away; its manifest stays, as after an untagging."""
        self._remove(f"{self._repositories}/{repository}/_manifests/tags/{tag}")

    def delete_repository(self, repository: str) -> None:
        """Take a repository away, and none of those whose names go on below its own."""
        for part in ("_layers", "_manifests", "_uploads"):
            self._remove(f"{self._repositories}/{repository}/{part}", missing_ok=True)

    def _manifest(self, estate: Estate, repository: str, digest: Digest) -> None:
        made = estate.manifests[digest]
        if not self._link(f"{repository}/_manifests/revisions", digest):
            return
        for part in (*(child.digest for child in made.children), *made.attached):
            self._manifest(estate, repository, part)
        for blob in made.blobs:
            if self._link(f"{repository}/_layers", blob):
                self._blob(blob, estate.contents.blobs[blob])
        self._blob(digest, made.body)

    def _link(self, folder: str, digest: Digest) -> bool:
        """Say that the repository has this content; return whether that is news."""
        return self._file(f"{self._repositories}/{folder}/sha256/{digest.hex}/link", digest.encode())

    def _blob(self, digest: Digest, body: bytes) -> None:
        self._file(f"{self._blobs}/{digest.hex[:2]}/{digest.hex}/data", body)

    def _file(self, path: str, body: bytes) -> bool:
        if path in self._written:
            return False
        self._written.add(path)
        self._directory(path.rpartition("/")[0])
        with open(path, "wb", buffering=0) as file:
            file.write(body)
        return True

    def _directory(self, path: str) -> None:
        if path in self._made:
            return
        parent = path.rpartition("/")[0]
        if parent not in self._made and not os.path.isdir(parent):
            self._directory(parent)
        with suppress(FileExistsError):
            os.mkdir(path)
        self._made.add(path)

    def _remove(self, path: str, missing_ok: bool = False) -> None:
        if os.path.isdir(path) or not missing_ok:
            shutil.rmtree(path)
        below = path + "/"
        for known in (self._made, self._written):
            known.difference_update([name for name in known if name == path or name.startswith(below)])
