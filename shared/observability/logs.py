"""Structured logs on stderr: one line a record, `key=value` fields after a constant message."""

import logging
import sys
from typing import Any, Final

_QUIET: Final = (
    *("aiokafka", "asyncio", "clickhouse_connect", "faust", "httpcore", "httpx", "jgo", "kafka", "mode"),
    "services",  # as Faust names its logs of classes that we derive from its own
    *("uvicorn", "uvicorn.error", "uvicorn.asgi", "websockets", "websockets.server"),
    "urllib3.connectionpool",  # by its full name: clickhouse_connect sets the level of urllib3 when it is imported
)


class Log:
    """A logger whose calls take fields: `log.info("page listed", repository="a/b", tags=3)`."""

    def __init__(self, stage: str) -> None:
        self._logger: Final = logging.getLogger("tallyman." + stage)
        self._stage: Final = stage

    def debug(self, message: str, **fields: Any) -> None:
        self._write(logging.DEBUG, message, fields)

    def info(self, message: str, **fields: Any) -> None:
        self._write(logging.INFO, message, fields)

    def warning(self, message: str, **fields: Any) -> None:
        self._write(logging.WARNING, message, fields)

    def error(self, message: str, **fields: Any) -> None:
        self._write(logging.ERROR, message, fields)

    def _write(self, level: int, message: str, fields: dict[str, Any]) -> None:
        if self._logger.isEnabledFor(level):
            told = "".join(f" {name}={_field(value)}" for name, value in fields.items() if value is not None)
            self._logger.log(level, "%s: %s%s", self._stage, message, told)


def _field(value: object) -> str:
    text = str(value)
    plain = text.isprintable() and text and " " not in text and '"' not in text
    return text if plain else '"' + text.encode("unicode_escape").decode().replace('"', '\\"') + '"'


def configure_logs(level: str) -> None:
    """Send our logs to stderr from `level` on.

    The libraries are silent: what they log they also raise, or try again until it works.
    """
    logging.basicConfig(
        level=level.upper(), stream=sys.stderr, format="%(asctime)s %(levelname)-7s %(message)s", force=True
    )
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.CRITICAL)
