"""Messages of one scan, as tests tell them."""

from shared.messages.model import Failure, ScanContext
from shared.messages.scan_progressed import CatalogPage, Counts, Progress, ScanProgressed, UnitOutcome, UnitReported
from tallyman.following import ScanSeen

CONTEXT = ScanContext(registry="registry0", scan=7, connection=0, slot=0, shards=1, partitions=4)


def seen_after(*steps: Progress) -> ScanSeen:
    """Return a scan of which these steps were heard."""
    seen = ScanSeen(CONTEXT.registry, CONTEXT.scan)
    for step in steps:
        seen.hear(ScanProgressed(context=CONTEXT, progress=step))
    return seen


def catalog(*names: str, page: int = 0, last: bool = True, requests: int = 1) -> CatalogPage:
    """Return a page that names these repositories."""
    return CatalogPage(page=page, names=names, last=last, requests=requests)


def unit(repository: str, outcome: UnitOutcome = UnitOutcome.STORED, why: str = "", **counts: int) -> UnitReported:
    """Return the report of a repository; `why` it failed, where it did."""
    failures = (Failure(what=repository, reason="made_up", detail=why),) if why else ()
    return UnitReported(repository=repository, outcome=outcome, counts=Counts(**counts), failures=failures)
