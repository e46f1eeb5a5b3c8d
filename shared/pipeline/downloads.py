"""Downloads by HTTPS that trust what pip and the system trust, also behind a proxy that inspects them."""

import ssl
from pathlib import Path
from typing import Any, Final

import requests
import truststore
from requests.adapters import HTTPAdapter
from urllib3 import Retry

from shared.settings import Trust

_TIMEOUT_SECONDS: Final = 30
_LONGEST_WAIT_SECONDS: Final = 60
_CHUNK_BYTES: Final = 1024 * 1024
_CHECKED_HERE: Final = "https://"


class UntrustedServer(Exception):
    """The server's certificate is signed by no CA that this machine trusts, or a CA file cannot be read."""


def session() -> requests.Session:
    """Return a session for downloads. The environment's proxies and CA files count.

    Raises UntrustedServer when a file that the environment names cannot be read.
    """
    made = requests.Session()
    made.mount(_CHECKED_HERE, _Trusting(_context(Trust().named())))
    return made


def download(session: requests.Session, address: str, to: Path) -> None:
    """Write what lies at the address to a file. A server that is busy (429, 503) or does not
    answer at first is asked again.

    Raises UntrustedServer, or OSError for any other failure.
    """
    try:
        with session.get(address, stream=True, timeout=_TIMEOUT_SECONDS) as response, to.open("wb") as file:
            response.raise_for_status()
            file.writelines(response.iter_content(_CHUNK_BYTES))
    except requests.exceptions.SSLError as error:
        raise UntrustedServer(f"the certificate that it was shown is not trusted ({type(error).__name__})") from error


def _context(named: dict[str, Path]) -> ssl.SSLContext:
    """Return a context that trusts the system's CAs and those in these files or folders."""
    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for variable, path in named.items():
        try:
            if path.is_dir():
                context.load_verify_locations(capath=path)
            else:
                context.load_verify_locations(cafile=path)
        except OSError as error:
            raise UntrustedServer(f"{variable} names {path}, which cannot be read as CA certificates") from error
    return context


class _Trusting(HTTPAdapter):
    """Connections, straight and by proxy, that check certificates in one context."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context: Final = context
        patient = Retry(
            connect=2,
            read=0,
            other=0,
            status=3,
            status_forcelist=(429, 503),
            backoff_factor=1,
            retry_after_max=_LONGEST_WAIT_SECONDS,
        )
        super().__init__(max_retries=patient)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **kwargs)

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **kwargs)
