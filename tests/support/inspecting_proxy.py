"""A proxy that inspects HTTPS: it ends each connection itself, with a certificate of its own CA for the host."""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from tests.support.certificates import Certificate, make_authority, make_server_certificate


class InspectingProxy(ThreadingHTTPServer):
    """authority: the CA to trust.  asked: the paths of the requests.  busy: how many are answered with 429 first."""

    daemon_threads = False  # the server's end waits for its connections'

    def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.address: Final = f"http://127.0.0.1:{self.server_port}"
        self.authority: Final[Certificate] = make_authority(folder / "authority", "A company's CA")
        self.files: Final = files
        self.asked: Final[list[str]] = []
        self.busy = 0
        self._folder: Final = folder

    def context_for(self, host: str, connection: int) -> ssl.SSLContext:
        """Return a server's context with a new certificate for the host."""
        made = make_server_certificate(self._folder / f"connection-{connection}", self.authority, host=host)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.certificate_file, made.key_file)
        return context

    def answer(self, path: str) -> tuple[int, bytes]:
        """Return the status and the body for a request."""
        self.asked.append(path)
        if self.busy:
            self.busy -= 1
            return 429, b""
        return next(((200, body) for end, body in self.files.items() if path.endswith(end)), (404, b""))


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: InspectingProxy

    def do_CONNECT(self) -> None:
        context = self.server.context_for(self.path.rpartition(":")[0], self.client_address[1])
        self.send_response(200)
        self.end_headers()
        try:
            self.connection = context.wrap_socket(self.connection, server_side=True)
        except (ssl.SSLError, ConnectionError):  # the client does not trust the certificate
            self.close_connection = True
            return
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb", buffering=0)
        self.close_connection = False

    def do_GET(self) -> None:
        status, body = self.server.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Retry-After", "0")
        self.end_headers()
        self.wfile.write(body)

    def finish(self) -> None:
        super().finish()
        self.connection.close()  # after CONNECT not the one that the server knows

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def inspecting_proxy(folder: Path, files: Mapping[str, bytes]) -> Iterator[InspectingProxy]:
    """Yield a proxy that serves these files, by the ends of their paths, for any host. folder: for certificates."""
    with InspectingProxy(folder, files) as proxy:
        thread = threading.Thread(target=proxy.serve_forever)
        thread.start()
        try:
            yield proxy
        finally:
            proxy.shutdown()
            thread.join()
