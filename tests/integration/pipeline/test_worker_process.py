"""A service as a process: it stops when told to, and a crash ends it."""

import asyncio
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

PROGRAM = """
import asyncio, sys
from shared.errors import PermanentError, SettingsError
from shared.observability.logs import configure_logs
from shared.pipeline.process import run_process

async def swallows_cancellation():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass

async def main(stop):
    keep = asyncio.create_task(swallows_cancellation())
    await asyncio.sleep(0)
    print("up", flush=True)
    {body}

configure_logs("info")
sys.exit(run_process(main))
"""
CLEAN = PROGRAM.replace("keep = asyncio.create_task(swallows_cancellation())", "pass")


async def _started(program: str, body: str) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program.format(body=body), cwd=ROOT, stdout=PIPE, stderr=PIPE
    )
    assert process.stdout is not None
    assert await process.stdout.readline() == b"up\n"
    return process


async def _end(process: Process) -> tuple[int | None, str]:
    async with asyncio.timeout(20):
        _, said = await process.communicate()
    return process.returncode, said.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_the_process_finish_and_end_well(number: signal.Signals) -> None:
    process = await _started(CLEAN, "await stop.wait(); print('drained', file=sys.stderr)")
    process.send_signal(number)
    assert await _end(process) == (0, "drained\n")


async def test_a_second_signal_does_not_wait() -> None:
    process = await _started(CLEAN, "await stop.wait(); print('got it', flush=True); await asyncio.sleep(3600)")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert await process.stdout.readline() == b"got it\n"
    process.send_signal(signal.SIGINT)
    assert (await _end(process))[0] == 130


async def test_a_crash_ends_the_process_even_where_a_task_swallows_cancellation() -> None:
    code, said = await _end(await _started(PROGRAM, "raise KeyError('hunter2')"))
    assert code == 1
    assert 'event="process crashed" error=KeyError' in said
    assert "hunter2" not in said.replace("raise KeyError('hunter2')", "")


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        ("SettingsError('Wrong setting: TALLYMAN_KAFKA.')", 2, "Wrong setting: TALLYMAN_KAFKA."),
        ("PermanentError('It cannot go on.', reason='stuck')", 1, "It cannot go on."),
    ],
)
async def test_our_own_errors_are_told_as_a_sentence(error: str, code: int, sentence: str) -> None:
    ended, said = await _end(await _started(PROGRAM, f"raise {error}"))
    assert ended == code
    assert sentence in said
    assert "Traceback" not in said
