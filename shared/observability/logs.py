"""Structured logs on stderr: a constant message, and fields; what is at work is told on each line.

log = log_of("tagger")
log.info("page listed", repository="a/b", tags=3)
"""

import logging
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Final, Literal

import structlog
from opentelemetry import trace

LogFormat = Literal["text", "json"]

_QUIET: Final = (
    *("aiokafka", "asyncio", "clickhouse_connect", "faust", "httpcore", "httpx", "jgo", "kafka", "mode"),
    *("opentelemetry", "urllib3.connectionpool"),  # the latter whole: clickhouse_connect sets the level of urllib3
    "services",  # as Faust names its logs of classes that we derive from its own
    *("uvicorn", "uvicorn.error", "uvicorn.asgi", "websockets", "websockets.server"),
)
_FIRST: Final = ("timestamp", "level", "stage", "event", "registry", "repository", "scan")


def log_of(stage: str) -> structlog.stdlib.BoundLogger:
    """Return the log of a stage or another part of a service."""
    log: structlog.stdlib.BoundLogger = structlog.get_logger("tallyman." + stage, stage=stage)
    return log


@contextmanager
def at_work(**fields: object) -> Iterator[None]:
    """Tell these fields on each line that is logged in the block, in tasks that it starts, too."""
    with structlog.contextvars.bound_contextvars(**{name: told for name, told in fields.items() if told is not None}):
        yield


def configure_logs(level: str, form: LogFormat = "text") -> None:
    """Send our logs to stderr from `level` on.

    The libraries are silent: what they log they also raise, or try again until it works.
    """
    logging.basicConfig(level=level.upper(), stream=sys.stderr, format="%(message)s", force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    _configure(form)


Fields = MutableMapping[str, Any]


def _with_trace(_: object, __: str, fields: Fields) -> Fields:
    """Name the trace, so that one scan's lines are found over all services."""
    at = trace.get_current_span().get_span_context()
    if at.is_valid:
        fields["trace"] = f"{at.trace_id:032x}"
    return fields


def _told(_: object, __: str, fields: Fields) -> Fields:
    """Leave out what is not there, and make one line of all that is no number, whatever strangers wrote."""
    return {
        name: value if isinstance(value, (int, float)) else _line(str(value))
        for name, value in fields.items()
        if value is not None
    }


def _line(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode("ascii")


def _configure(form: LogFormat) -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            _with_trace,
            _told,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer()
            if form == "json"
            else structlog.processors.LogfmtRenderer(key_order=_FIRST, drop_missing=True),
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


_configure("text")  # whoever logs before anything is set logs as Python's own logging does
