"""No server of its own."""

from tests.fakes.product.server import OpensServer

SERVERS: dict[str, OpensServer] = {}
