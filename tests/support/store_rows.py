"""Rows of the store for tests, with what a test does not care about filled in."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.oci.digest import Digest
from shared.store.rows import (
    ConfigRow,
    ImageRow,
    IndexChildRow,
    ListingPageRow,
    OutboxRow,
    RegistryRow,
    RepositoryRow,
    ScanUnitRow,
    TagMoveRow,
    TagRow,
)

# The store keeps milliseconds; and it drops old outbox rows and pages, so these are true times.
NOW = datetime.now(UTC).replace(microsecond=123_000)
LATER = NOW + timedelta(minutes=5)


def digest(name: object) -> Digest:
    """A digest that goes by a short name."""
    return Digest.of(str(name).encode())


@dataclass(frozen=True)
class Rows:
    """Makes rows of one registry; `repository` is where they lie unless another is given."""

    registry: str
    repository: str = "team/app"

    def image(self, name: object, **changes: Any) -> ImageRow:
        fields = {
            "repository": self.repository,
            "present": True,
            "kind": "image",
            "media_type": "application/vnd.oci.image.manifest.v1+json",
            "artifact_type": "",
            "os": "linux",
            "architecture": "amd64",
            "variant": "",
            "os_version": "",
            "size_bytes": 1234,
            "created": NOW,
            "config": digest(f"config of {name}"),
            "first_seen": NOW,
            "changed_at": NOW,
            "version": 1,
        }
        return ImageRow(registry=self.registry, digest=digest(name), **{**fields, **changes})

    def index(self, name: object, **changes: Any) -> ImageRow:
        nothing = {"kind": "index", "os": "", "architecture": "", "size_bytes": None, "created": None, "config": None}
        return self.image(name, **{**nothing, **changes})

    def artifact(self, name: object, **changes: Any) -> ImageRow:
        return self.index(name, **{"kind": "artifact", "artifact_type": "application/vnd.cncf.helm.chart", **changes})

    def child(self, index: object, child: object, **changes: Any) -> IndexChildRow:
        fields = {
            "repository": self.repository,
            "os": "linux",
            "architecture": "amd64",
            "variant": "",
            "os_version": "",
            "present": True,
            "version": 1,
        }
        return IndexChildRow(registry=self.registry, index=digest(index), child=digest(child), **{**fields, **changes})

    def tag(self, tag: str, name: object, **changes: Any) -> TagRow:
        fields = {"repository": self.repository, "present": True, "changed_at": NOW, "version": 1}
        return TagRow(registry=self.registry, tag=tag, digest=digest(name), **{**fields, **changes})

    def move(self, tag: str, to: object | None, previous: object | None, version: int = 1) -> TagMoveRow:
        return TagMoveRow(
            registry=self.registry,
            repository=self.repository,
            tag=tag,
            version=version,
            moved_at=NOW,
            digest=None if to is None else digest(to),
            previous=None if previous is None else digest(previous),
        )

    def config(self, name: object, **changes: Any) -> ConfigRow:
        fields = {"os": "linux", "architecture": "amd64", "variant": "", "os_version": "", "created": NOW}
        return ConfigRow(registry=self.registry, digest=digest(name), **{**fields, **changes})

    def listing(self, full: int = 1, **changes: Any) -> RepositoryRow:
        fields = {"repository": self.repository, "present": True, "listed_at": NOW, "decided_at": NOW}
        return RepositoryRow(registry=self.registry, full=full, **{**fields, **changes})

    def named(self, name: str, **changes: Any) -> RegistryRow:
        fields = {"host": f"https://{name}", "deleted": False, "version": 1}
        return RegistryRow(registry=self.registry, name=name, **{**fields, **changes})

    def decision(self, scan: int, **changes: Any) -> OutboxRow:
        fields = {
            "repository": self.repository,
            "topic": "images.observed",
            "partition": 3,
            "offset": 7,
            "decision": "{}",
            "inserted_at": NOW,
        }
        return OutboxRow(registry=self.registry, scan=scan, **{**fields, **changes})

    def page(self, page: int, **changes: Any) -> ListingPageRow:
        fields = {
            "repository": self.repository,
            "scan": 1,
            "reading": "reading",
            "leg": "leg",
            "follows": "",
            "last": False,
            "offset": page,
            "body": f"page {page}",
            "inserted_at": NOW,
        }
        return ListingPageRow(registry=self.registry, page=page, **{**fields, **changes})

    def unit(self, state: str, repository: str = "", **changes: Any) -> ScanUnitRow:
        fields = {"scan": 1, "offset": 1, "at": NOW}
        return ScanUnitRow(registry=self.registry, repository=repository, state=state, **{**fields, **changes})


@pytest.fixture
def rows(registry_id: str) -> Rows:
    """Makes rows of a registry of this test's own."""
    return Rows(registry_id)
