"""`scan.requested`: a scan is asked for, or goes on from a cursor."""

from typing import Self

from pydantic import Field

from shared.messages.model import Message, Moment, Name, RegistryId, ScanContext, ScanKind, ScanReason, Shape
from shared.observability.tracing import trace_of


class CatalogCursor(Shape):
    """Where a long catalog goes on.

    scan: number of the scan this continues.  after: the registry's cursor.  page: of the catalog, from 0.
    complete: False where something before it could not be read.
    """

    scan: int
    after: str
    page: int
    complete: bool = True


class ScanRequested(Message):
    """Asks for a scan of a registry, of one repository, or of one tag.

    request: random id by which whoever asked finds the scan again.
    offset: this message's own place in the log, set on receipt, never on the wire.
    """

    registry: RegistryId
    kind: ScanKind = ScanKind.FULL
    repository: Name | None = None
    tag: Name | None = None
    reason: ScanReason = ScanReason.MANUAL
    request: str
    requested_at: Moment
    connection: int = Field(ge=0)
    slot: int = Field(ge=0)
    shards: int = Field(ge=1)
    partitions: int = Field(ge=1)
    confirmed: bool = False
    continues: CatalogCursor | None = None
    offset: int = Field(default=-1, exclude=True)

    def received_at(self, offset: int) -> Self:
        return self.model_copy(update={"offset": offset})

    def context(self, scan_base: int) -> ScanContext:
        """Return the scan's context; its number is the log's, so that no clock orders scans."""
        return ScanContext(
            registry=self.registry,
            scan=self.continues.scan if self.continues else scan_base + self.offset,
            kind=self.kind,
            reason=self.reason,
            connection=self.connection,
            slot=self.slot,
            shards=self.shards,
            partitions=self.partitions,
            confirmed=self.confirmed,
            trace=trace_of(self.request),
        )
