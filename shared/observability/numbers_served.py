"""The process's numbers served to Prometheus, by a thread of its own: a busy event loop does not hold them up."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from shared.errors import SettingsError
from shared.observability.metrics import NUMBERS


@contextmanager
def numbers_served(address: str | None) -> Iterator[None]:
    """Serve `/metrics` at host:port while the block runs; without an address, do nothing.

    Raises SettingsError where it cannot listen there.
    """
    if address is None:
        yield
        return
    host, _, port = address.rpartition(":")
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), NUMBERS)
    except (OSError, OverflowError) as error:
        raise SettingsError(f"TALLYMAN_METRICS: cannot listen at {address}: {error}.") from error
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
