"""What a stage tells of a unit (scan, repository) that goes no further, and of what it could not read."""

from shared.errors import TallymanError
from shared.messages.model import Failure, ScanContext
from shared.messages.scan_progressed import ScanProgressed, UnitOutcome, UnitReported


def failure(what: str, error: TallymanError) -> Failure:
    """Return what was not read, with the error's reason and sentence."""
    return Failure(what=what, reason=error.reason, detail=str(error))


def unit_skipped(context: ScanContext, repository: str, why: Failure) -> ScanProgressed:
    """Return the report that the scan leaves this repository out, and why."""
    return _reported(context, repository, UnitOutcome.SKIPPED, why)


def unit_failed(context: ScanContext, repository: str, why: Failure) -> ScanProgressed:
    """Return the report that nothing more comes of this repository in the scan."""
    return _reported(context, repository, UnitOutcome.FAILED, why)


def _reported(context: ScanContext, repository: str, outcome: UnitOutcome, why: Failure) -> ScanProgressed:
    return ScanProgressed(
        context=context, progress=UnitReported(repository=repository, outcome=outcome, failures=(why,))
    )
