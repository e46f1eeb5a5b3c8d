"""One run: rounds in which the registry changes and is scanned while things die, until enough have died."""

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, Final

from services.opening import connections_topic
from services.scan_requests import ScanRequests, ScanRunning, Wanted
from shared.connections.rules import ConnectionSettings
from shared.connections.writer import Saved, ensure_connection
from shared.messages.connection_fields import FirstLoadTriggers
from shared.messages.topics import IMAGE_STATE, TAG_STATE
from shared.pipeline.topics import ensure_topics
from shared.store import Store
from tests.chaos import observer
from tests.chaos.cluster import Cluster, running_cluster
from tests.chaos.killer import Killer
from tests.chaos.observer import patiently
from tests.chaos.proxy import FaultyProxy, faulty_proxy
from tests.chaos.script import Happened, Script
from tests.e2e import truth
from tests.support.generator import Estate
from tests.support.generator_storage import Storage
from tests.support.registry import memory_folder, running_registry

Line = dict[str, Any]

NAME: Final = "chaos"
_FAULTS: Final = 0.04
_MAX_RPS: Final = 15
_KILLS_A_SCAN: Final = 4
_SCAN_SECONDS: Final = 12.0
_CHANGES: Final = 14
_SCANS_AT_MOST: Final = 8
_SCAN_ENDS_SECONDS: Final = 240
_CHURN_EVERY: Final = 4
"""Every so many rounds the registry changes while it is scanned."""


@dataclass
class Logs:
    """The raw logs, one file of JSON lines for each kind."""

    folder: Path
    written: Counter[str] = field(default_factory=Counter)

    def write(self, kind: str, *lines: Line) -> None:
        with (self.folder / f"{kind}.jsonl").open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)
        self.written[kind] += len(lines)

    def to(self, kind: str) -> Callable[[Line], None]:
        return lambda line: self.write(kind, line)


async def run(seed: int, kills: int, folder: Path, logs_folder: Path) -> None:
    """Run until so many things have been killed, and leave the raw logs in `logs_folder`."""
    _make_empty(logs_folder)
    logs, begun = Logs(logs_folder), time.monotonic()
    with memory_folder() as memory, running_registry(memory) as registry:
        script = Script.begun(seed, Storage(registry.storage))
        async with (
            faulty_proxy(registry.url, Random(seed + 1), _FAULTS) as proxy,
            running_cluster(folder, logs_folder) as cluster,
        ):
            play = await Play.opened(cluster, proxy, script, logs, Random(seed + 2))
            try:
                await play.until(kills)
                await play.leave_traces(seed, round(time.monotonic() - begun, 1))
            finally:
                await play.store.close()


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


class Play:
    """The rounds of one run."""

    def __init__(
        self,
        cluster: Cluster,
        proxy: FaultyProxy,
        script: Script,
        logs: Logs,
        random: Random,
        saved: Saved,
        store: Store,
    ) -> None:
        self._cluster: Final = cluster
        self._proxy: Final = proxy
        self._script: Final = script
        self._logs: Final = logs
        self._random: Final = random
        self._saved: Final = saved
        self.store: Final = store
        self._killer: Final = Killer(cluster, random, logs.to("kills"))
        self._requests: Final = ScanRequests(cluster.settings, connections_topic(cluster.settings), store)
        self._rounds: Final[Counter[str]] = Counter()
        self._statuses: Final[Counter[str]] = Counter()

    @classmethod
    async def opened(cls, cluster: Cluster, proxy: FaultyProxy, script: Script, logs: Logs, random: Random) -> "Play":
        """Connect the registry."""
        settings = cluster.settings
        await ensure_topics(settings, ())
        store = await Store.open(settings)
        await store.migrate()
        wanted = ConnectionSettings(name=NAME, max_rps=_MAX_RPS, type="v2", first_load_triggers=FirstLoadTriggers.ALL)  # type: ignore[typeddict-item]
        saved = await ensure_connection(connections_topic(settings), proxy.url, wanted, settings.partitions)
        first = [Happened(0.0, *place, digest) for place, digest in script.states().items()]
        logs.write("truth", *(one.line() for one in first))
        return cls(cluster, proxy, script, logs, random, saved, store)

    async def until(self, kills: int) -> None:
        """Play rounds until so many things have been killed."""
        number = 0
        while len(self._killer.kills) < kills:
            number += 1
            churns = number % _CHURN_EVERY == 0
            await self._round(number, "churn" if churns else "still", kills)
            print(
                f"round {number}: {len(self._killer.kills)} of {kills} kills, "
                f"{self._proxy.injected.total()} faults, {sum(self._statuses.values())} scans",
                flush=True,
            )

    async def _round(self, number: int, kind: str, kills: int) -> None:
        self._rounds[kind] += 1
        if kind == "still" and number > 1:
            self._tell(self._script.change(_CHANGES))
        scans: list[int] = []
        for attempt in range(_SCANS_AT_MOST):
            left = min(_KILLS_A_SCAN, kills - len(self._killer.kills)) if attempt == 0 else 0
            scan, status = await self._scan(left, churns=kind == "churn" and attempt == 0)
            scans.append(scan)
            self._statuses["complete" if status == "complete" else "others"] += 1
            if status == "complete" and not (kind == "churn" and attempt == 0):
                break
        told, now = self._script.end_round()
        await self._told_to_the_end(scans)
        await self._take_down(number, kind, scans, told, now)

    def _tell(self, changes: Iterator[Happened]) -> None:
        for change in changes:
            self._logs.write("truth", change.line())

    async def _scan(self, kills: int, *, churns: bool) -> tuple[int, str]:
        """Ask for a scan, kill and change within it, and return its number and how it ended."""
        scan = await self._asked()
        ended = asyncio.Event()
        killing = asyncio.create_task(
            self._killer.kill_within(scan, kills, lambda: not ended.is_set(), _SCAN_SECONDS), name="killer"
        )
        churning = asyncio.create_task(self._churn(ended) if churns else asyncio.sleep(0), name="churn")
        status = await self._status(scan)
        ended.set()
        await asyncio.gather(killing, churning)
        await self._killer.settled()
        return scan, status

    async def _asked(self) -> int:
        async def ask() -> int:
            try:
                return (await self._requests.ask(Wanted(self._saved.connection.registry), datetime.now(UTC))).scan
            except ScanRunning as running:
                return running.scan

        return await patiently(ask)

    async def _status(self, scan: int) -> str:
        """Return how the scan ended, once it has. Raises TimeoutError."""
        asked = {"name": NAME, "scan": scan}
        async with asyncio.timeout(_SCAN_ENDS_SECONDS):
            while True:
                rows = await patiently(
                    lambda: self.store.query(
                        "SELECT status FROM scans WHERE registry = {name:String} AND scan_id = {scan:UInt64}", asked
                    )
                )
                if rows and rows[0]["status"] != "running":
                    return str(rows[0]["status"])
                await asyncio.sleep(0.3)

    async def _churn(self, ended: asyncio.Event) -> None:
        for _ in range(_CHANGES):
            if ended.is_set():
                return
            self._tell(self._script.change(2))
            await asyncio.sleep(self._random.uniform(0.2, 1.0))

    async def _told_to_the_end(self, scans: list[int]) -> None:
        """Wait until the ends of the scans are told: all that they tell comes before."""
        async with asyncio.timeout(120):
            while True:
                ends = {
                    event["scan"]
                    for event in await observer.events(self._cluster.settings)
                    if ".scan." in event["type"]
                }
                if ends >= set(scans):
                    return
                await asyncio.sleep(0.5)

    async def _take_down(self, number: int, kind: str, scans: list[int], told: list[truth.Told], now: Estate) -> None:
        tags, images = await observer.inventory(self.store, NAME)
        self._logs.write(
            "rounds",
            {
                "round": number,
                "kind": kind,
                "scans": scans,
                "expected": [[one.type, one.subject, one.before, one.after] for one in told],
                "tags": tags,
                "images": images,
                "true_tags": sorted([r["repository"], r["tag"], r["digest"]] for r in truth.tag_rows(now, NAME)),
                "true_images": sorted([r["repository"], r["digest"]] for r in truth.image_rows(now, NAME)),
            },
        )

    async def leave_traces(self, seed: int, seconds: float) -> None:
        """Write down what was told, what is present, and what is left undone."""
        settings = self._cluster.settings
        self._logs.write("events", *await observer.events(settings))
        self._logs.write("states", *[await observer.state(settings, topic) for topic in (IMAGE_STATE, TAG_STATE)])
        left = await self._all_committed()
        self._logs.write("letters", *await observer.letters(settings))
        self._logs.write("triggers", *await observer.triggers(settings))
        self._logs.write("offsets", *left)
        messages, redelivered, absorbed = await observer.redelivered(settings)
        self._logs.write(
            "run",
            {
                "seed": seed,
                "seconds": seconds,
                "faults": dict(self._proxy.injected),
                "restarts": self._cluster.restarts,
                "rounds": {kind: self._rounds[kind] for kind in ("still", "churn")},
                "scans": {how: self._statuses[how] for how in ("complete", "others")},
                "messages": messages,
                "redelivered": redelivered,
                "absorbed": absorbed,
            },
        )

    async def _all_committed(self) -> list[Line]:
        """Return what is left before no committed offset, once nothing is or a while has passed."""
        for _ in range(30):
            left = await observer.offsets_left(self._cluster.settings)
            if not any(line["left"] for line in left):
                break
            await asyncio.sleep(1)
        return left
