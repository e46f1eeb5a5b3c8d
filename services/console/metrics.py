"""What the console adds to its process's own numbers: what only connections, claims and the store know."""

import time
from collections.abc import Callable
from statistics import median
from typing import Final

from prometheus_client import CollectorRegistry, Gauge, generate_latest

from services.console.inventory.scans import last_scans
from services.console.office import Office
from services.sweeps import SWEEPS_READ, stretch
from shared.errors import TallymanError
from shared.messages.connection_changed import Connection
from shared.messages.connection_notes import HookSecretSet
from shared.observability.metrics import NUMBERS
from shared.registry.sharing.state import Standing

_WAITS_READ: Final = 100
_FRESH_SECONDS: Final = 15.0
"""For so long what the store told is told again: who scrapes often must not load it."""


class ConsoleNumbers:
    """clock: monotonic seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock: Final = clock
        self._of: frozenset[str] = frozenset()
        self._told_at = float("-inf")
        self._told = b""

    async def text(self, office: Office) -> bytes:
        """Return all numbers in Prometheus's text form; without those of the store while it does not answer."""
        return generate_latest(NUMBERS) + _now(office) + await self._of_store(office)

    async def _of_store(self, office: Office) -> bytes:
        now, present = self._clock(), frozenset(connection.registry for connection, _ in office.now.present())
        if now - self._told_at > _FRESH_SECONDS or present != self._of:
            numbers = CollectorRegistry()
            try:
                await _tell_scans(office, numbers)
                await _tell_hooks(office, numbers)
            except TallymanError:
                return b""
            self._told_at, self._of, self._told = now, present, generate_latest(numbers)
        return self._told


def _now(office: Office) -> bytes:
    numbers = CollectorRegistry()
    Gauge("tallyman_connections", "Connections there are.", registry=numbers).set(len(office.now.present()))
    _tell_budgets(office, numbers)
    return generate_latest(numbers)


def _tell_budgets(office: Office, numbers: CollectorRegistry) -> None:
    """Tell of each registry what it may be asked, over all processes, and how it stands."""
    rps = Gauge(
        "tallyman_registry_max_rps",
        "Requests a second: as the connection allows, and as the registry lets us now.",
        ["registry", "of"],
        registry=numbers,
    )
    connections = Gauge(
        "tallyman_registry_max_connections",
        "Connections: as the connection allows, and as the registry lets us now.",
        ["registry", "of"],
        registry=numbers,
    )
    standing = Gauge(
        "tallyman_registry_standing",
        "1 for how the registry stands: idle, full, lowered, paused, broken (breaker open) or refused (sign-in).",
        ["registry", "standing"],
        registry=numbers,
    )
    for connection, _ in office.now.present():
        state = office.budgets.state(connection)
        rps.labels(connection.name, "allowed").set(connection.max_rps)
        rps.labels(connection.name, "now").set(state.max_rps)
        connections.labels(connection.name, "allowed").set(connection.max_connections)
        connections.labels(connection.name, "now").set(state.max_connections)
        for one in Standing:
            standing.labels(connection.name, one.value).set(one is state.standing)


async def _tell_scans(office: Office, numbers: CollectorRegistry) -> None:
    """Tell of each registry how its newest full load goes, or went."""
    repositories = Gauge(
        "tallyman_scan_repositories",
        "Repositories of the newest full load: found so far, and done.",
        ["registry", "of"],
        registry=numbers,
    )
    running = Gauge("tallyman_scan_running", "1 while a full load runs.", ["registry"], registry=numbers)
    failed = Gauge("tallyman_scan_failed", "What the newest full load could not read.", ["registry"], registry=numbers)
    ended = Gauge(
        "tallyman_scan_completed_timestamp_seconds",
        "When the newest full load ended; nothing while it runs.",
        ["registry"],
        registry=numbers,
    )
    names = {connection.registry: connection.name for connection, _ in office.now.present()}
    for registry, scan in (await last_scans(office.store, names)).items():
        name = names[registry]
        repositories.labels(name, "found").set(scan["repositories"])
        repositories.labels(name, "done").set(scan["repositories_done"])
        running.labels(name).set(scan["status"] == "running")
        failed.labels(name).set(scan["failed"])
        if scan["completed_at"] is not None:
            ended.labels(name).set(scan["completed_at"].timestamp())


async def _tell_hooks(office: Office, numbers: CollectorRegistry) -> None:
    """Tell, of registries with webhooks, how complete these are, and how long they wait."""
    drift = Gauge(
        "tallyman_hook_drift",
        "Moves of tags that the last full load found and no webhook had told.",
        ["registry"],
        registry=numbers,
    )
    apart = Gauge(
        "tallyman_sweep_intervals",
        "Intervals between two full loads: more than one while webhooks prove complete.",
        ["registry"],
        registry=numbers,
    )
    waits = Gauge(
        "tallyman_hook_wait_seconds",
        "Of the last reads that webhooks led to: from being taken to its end. A full load meanwhile makes it longer.",
        ["registry", "of"],
        registry=numbers,
    )
    for connection in _with_hooks(office):
        sweeps = await office.store.sweeps(connection.registry, SWEEPS_READ)
        waited = await office.store.hook_waits(connection.registry, _WAITS_READ)
        if waited:
            waits.labels(connection.name, "median").set(median(waited))
            waits.labels(connection.name, "longest").set(max(waited))
        drift.labels(connection.name).set(sweeps[0].changes if sweeps else 0)
        apart.labels(connection.name).set(stretch(sweeps))


def _with_hooks(office: Office) -> list[Connection]:
    present = [connection for connection, _ in office.now.present()]
    return [one for one in present if office.now.note(HookSecretSet, one.registry) is not None]
