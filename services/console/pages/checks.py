"""Checks that are under way, kept for the page that shows them stage by stage."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from shared.errors import TallymanError
from shared.registry.checkup.result import TITLES, CheckStage, StageChecked

KEPT: Final = 20


@dataclass
class Check:
    """stages: those that are done.  error: what ended it before its end."""

    stages: list[StageChecked] = field(default_factory=list)
    is_done: bool = False
    error: str = ""

    @property
    def next_title(self) -> str:
        """What is being tried now, "" where nothing is."""
        left = list(CheckStage)[len(self.stages) :]
        return TITLES[left[0]] if left and not self.is_done else ""


class Checks:
    """The last few checks of this process; older ones are forgotten."""

    def __init__(self) -> None:
        self._checks: Final[dict[str, Check]] = {}
        self._tasks: Final[set[asyncio.Task[None]]] = set()

    def start(self, stages: AsyncIterator[StageChecked]) -> str:
        """Begin a check; return by which name it is asked for."""
        name, check = secrets.token_urlsafe(12), Check()
        self._checks[name] = check
        while len(self._checks) > KEPT:
            del self._checks[next(iter(self._checks))]
        task = asyncio.create_task(_followed(check, stages))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return name

    def get(self, name: str) -> Check | None:
        return self._checks.get(name)


async def _followed(check: Check, stages: AsyncIterator[StageChecked]) -> None:
    try:
        async for stage in stages:
            check.stages.append(stage)
    except TallymanError as error:
        check.error = str(error)
    finally:
        check.is_done = True
