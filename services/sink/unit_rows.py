"""The rows that keep a scan's steps, made from its messages. Pure."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Final

from services.sink.observation import REASON_HELD
from shared.messages.model import Failure
from shared.messages.scan_progressed import (
    CatalogClosed,
    CatalogPage,
    ScanCancelled,
    ScanEnded,
    ScanProgressed,
    ScanStarted,
    ScanTimedOut,
    UnitReported,
)
from shared.store.rows import ScanUnitRow

REASON_NOT_HEARD_OF: Final = "not_heard_of"


def unit_rows(message: ScanProgressed, offset: int, at: datetime) -> Iterator[ScanUnitRow]:
    """Yield the rows of one message; `at` is a time for people."""

    def row(state: str, repository: str = "", **more: object) -> ScanUnitRow:
        return ScanUnitRow(
            registry=message.context.registry,
            scan=message.context.scan,
            repository=repository,
            state=state,
            offset=offset,
            at=at,
            **more,  # type: ignore[arg-type]  # the optional columns, given below by name
        )

    match message.progress:
        case ScanStarted(reason=reason, request=request, at=asked_at):
            yield ScanUnitRow(
                registry=message.context.registry,
                scan=message.context.scan,
                repository="",
                state="started",
                offset=offset,
                reason=reason,
                request=request,
                kind=message.context.kind.value,
                at=asked_at,
            )
        case CatalogPage(page=page, names=names, failures=failures, requests=requests):
            yield row("catalog", page=page, failures=failures, requests=requests)
            for name in names:
                yield row("expected", name)
        case CatalogClosed(absent=absent, held=held, complete=complete):
            yield row("closed", reason="complete" if complete else "incomplete")
            for name in (*absent, *held):
                yield row("absent", name)
            for name in held:
                yield row("held", name, failed=1, failures=(_held(name),))
        case UnitReported(repository=name, outcome=outcome, counts=counts, failures=failures, out_of_scope=out):
            yield row(outcome.value, name, failures=failures, out_of_scope=out, **counts.model_dump())
        case ScanTimedOut():
            yield row("timeout")
        case ScanCancelled():
            yield row("cancelled")
        case ScanEnded(status=status):
            yield row("ended", reason=status, kind=message.context.kind.value)


def missing_rows(message: ScanProgressed, names: Iterable[str], offset: int, at: datetime) -> Iterator[ScanUnitRow]:
    """Yield rows that name the units a timed-out scan did not hear of."""
    for name in names:
        failure = Failure(what=name, reason=REASON_NOT_HEARD_OF, detail="Nothing was heard of it before the time-out.")
        yield ScanUnitRow(
            registry=message.context.registry,
            scan=message.context.scan,
            repository=name,
            state="timeout",
            offset=offset,
            failed=1,
            failures=(failure,),
            at=at,
        )


def _held(name: str) -> Failure:
    return Failure(
        what=name,
        reason=REASON_HELD,
        detail="The catalog no longer names it, with too many others to believe it: confirm it if it is gone "
        "(tallyman scan confirm, or on the registry's page).",
    )
