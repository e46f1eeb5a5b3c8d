"""What this process does with one registry, counted for metrics."""

from typing import Final

from prometheus_client import Counter

from shared.observability import metrics
from shared.registry.grant import Grant

_FAILED: Final = "failed"


class RegistryNumbers:
    """name: the connection's. Numbers of a registry that was renamed or deleted stay until the process ends."""

    def __init__(self, name: str) -> None:
        self._name: Final = name
        self._seconds: Final = metrics.REQUEST_SECONDS.labels(name)
        self._waits: Final = metrics.BUDGET_WAIT_SECONDS.labels(name)
        self._in_flight: Final = metrics.IN_FLIGHT.labels(name)
        self._requests: Final[dict[tuple[str, str], Counter]] = {}

    def waited(self, seconds: float) -> None:
        """A request's turn has come after so long."""
        self._waits.observe(seconds)

    def written(self) -> None:
        """A request is written."""
        self._in_flight.inc()

    def answered(self, kind: str, status: int, seconds: float) -> None:
        """Its answer's headers are there, so long after it was written."""
        self._seconds.observe(seconds)
        self._count(kind, str(status))

    def failed(self, kind: str) -> None:
        """It got no answer."""
        self._count(kind, _FAILED)

    def over(self) -> None:
        """It is answered to its end, or failed."""
        self._in_flight.dec()

    def _count(self, kind: str, status: str) -> None:
        if (kind, status) not in self._requests:
            self._requests[kind, status] = metrics.REQUESTS.labels(self._name, kind, status)
        self._requests[kind, status].inc()


class ShareNumbers:
    """What this process may use of one registry.  name: the connection's."""

    def __init__(self, name: str) -> None:
        self._rps: Final = metrics.GRANTED_RPS.labels(name)
        self._connections: Final = metrics.GRANTED_CONNECTIONS.labels(name)
        self._open: Final = metrics.OPEN_CONNECTIONS.labels(name)
        self._broken: Final = metrics.BREAKER_OPEN.labels(name)

    def tell(self, grant: Grant, connections: int, is_broken: bool) -> None:
        """connections: those that are open."""
        self._rps.set(grant.requests())
        self._connections.set(grant.connections())
        self._open.set(connections)
        self._broken.set(is_broken)


def kind_of(path: str) -> str:
    """Return what a request asks for: catalog, tags, manifest, blob, ping, or api for a product's own questions."""
    if path.endswith("/tags/list"):
        return "tags"
    if "/manifests/" in path:
        return "manifest"
    if "/blobs/" in path:
        return "blob"
    if path.endswith("/_catalog"):
        return "catalog"
    return "ping" if path.endswith("/v2/") else "api"
