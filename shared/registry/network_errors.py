"""From a failed connection to a sentence: what failed on the way, and what to do."""

import socket
import ssl
from collections.abc import Iterator, Mapping
from typing import Final

import httpx

from shared.errors import TallymanError
from shared.registry.breaker import BreakerOpen
from shared.registry.errors import CertificateRefused, RegistryUnreachable, RequestRefused

_TRUST: Final = "Give its CA with --ca FILE"
_CERTIFICATE: Final[Mapping[int, str]] = {
    9: "is not valid yet. Check the clocks of both machines",
    10: "has expired. Have it renewed",
    18: f"is self-signed. {_TRUST}",
    19: f"is signed by a CA that signed itself and is not known here. {_TRUST}",
    20: f"is signed by a CA that is not known here. {_TRUST}",
    21: f"is signed by a CA that is not known here. {_TRUST}",
    23: "has been revoked. Have it renewed",
    62: "is for another host name. Use the name that the certificate is for",
    64: "is for another address. Use the name that the certificate is for",
}
"""OpenSSL's verification results (x509_vfy.h)."""

_TIMEOUTS: Final[tuple[tuple[type[httpx.TransportError], str], ...]] = (
    (httpx.ConnectTimeout, "could not be connected to within the connect timeout. Check host, port and firewall"),
    (httpx.PoolTimeout, "had no connection free within the pool timeout. Raise max connections or the pool timeout"),
    (httpx.ReadTimeout, "did not answer within the read timeout. Raise the read timeout or look after the registry"),
    (httpx.WriteTimeout, "did not take the request within the write timeout. Look after the registry"),
)


def is_worth_trying_again(error: httpx.TransportError) -> bool:
    """Tell whether the same request may work later; a bad certificate or URL stays bad."""
    hopeless = isinstance(error, (httpx.UnsupportedProtocol, httpx.LocalProtocolError))
    return not hopeless and _tls_error(error) is None


def not_asked(host: str, why: BreakerOpen) -> RegistryUnreachable:
    """Return our error for a request that was not sent, since the registry does not answer."""
    return RegistryUnreachable(
        f"{host} has not answered for {why.open_seconds:.0f} s and is left alone; it is tried again within a minute. "
        "Check that it runs, and host, port and firewall.",
        reason="registry_unreachable",
    )


def network_error(host: str, error: httpx.TransportError) -> TallymanError:
    """Return our error for a request to `host` that got no answer."""
    tls = _tls_error(error)
    if tls is not None:
        return CertificateRefused(tls_sentence(host, tls), reason="tls_failed")
    if not is_worth_trying_again(error):
        return RequestRefused(f"{host} cannot be asked: the address is malformed. Check it.", reason="address_invalid")
    for kind, words in _TIMEOUTS:
        if isinstance(error, kind):
            return RegistryUnreachable(f"{host} {words}.", reason="timeout")
    if any(isinstance(cause, socket.gaierror) for cause in _causes(error)):
        return RegistryUnreachable(
            f"The name of {host} cannot be resolved. Check its spelling and the DNS.", reason="host_unknown"
        )
    if isinstance(error, httpx.ConnectError):
        return RegistryUnreachable(
            f"{host} cannot be connected to. Check that it runs, and host, port and firewall.",
            reason="registry_unreachable",
        )
    return RegistryUnreachable(
        f"{host} broke the connection off before its answer was complete. Look after the registry or the proxy "
        "before it, then load again.",
        reason="connection_lost",
    )


def tls_sentence(host: str, error: ssl.SSLError) -> str:
    """Return in words why a handshake with `host` failed, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        words = _CERTIFICATE.get(error.verify_code, f"is not valid (OpenSSL code {error.verify_code}). {_TRUST}")
        return f"TLS with {host} failed: its certificate {words}."
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return f"TLS with {host} failed: it does not speak TLS on this port. Use http:// or the port for https."
    return (
        f"TLS with {host} failed ({error.reason or 'no reason given'}). Check that it speaks TLS 1.2 or later and "
        "asks for no client certificate."
    )


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """Return the innermost: libraries wrap OpenSSL's error in classes of its kind, without its code."""
    found = [cause for cause in _causes(error) if isinstance(cause, ssl.SSLError)]
    return found[-1] if found else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
