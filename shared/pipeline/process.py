"""A service as an operating-system process: it stops when told to, and a crash ends it."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Final, NoReturn

from shared.errors import SettingsError, TallymanError
from shared.observability.logs import log_of
from shared.pipeline.dead_letters import frames
from shared.pipeline.loop import run_loop

EXIT_CRASH: Final = 1
EXIT_SETTINGS: Final = 2

_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)


def run_process(main: Callable[[asyncio.Event], Awaitable[None]]) -> int:
    """Run `main` until it returns; return 0.

    main: gets an event that SIGTERM or SIGINT sets, and has to return soon after; a second signal does not wait.
    When it raises, this never returns: the process ends at once with 2 for a wrong setting, else with 1, so that
    whoever supervises it starts it again.
    """
    run_loop(_until_stopped(main))
    return 0


async def _until_stopped(main: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, _heed, stop, number)
    try:
        await main(stop)
    except SettingsError as error:
        log_of("process").error("process not started", error=error)
        _end(EXIT_SETTINGS)
    except TallymanError as error:
        log_of("process").error("process stopped", reason=error.reason, error=error)
        _end(EXIT_CRASH)
    except BaseException as error:  # noqa: BLE001  # the crash is told here: nothing outlives what follows
        log_of("process").error("process crashed", error=type(error).__name__, traceback=frames(error))
        _end(EXIT_CRASH)


def _heed(stop: asyncio.Event, number: int) -> None:
    if stop.is_set():
        _end(128 + number)
    stop.set()


def _end(code: int) -> NoReturn:
    """End the process for certain: a Kafka client that was not stopped swallows cancellation and would hang it."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
