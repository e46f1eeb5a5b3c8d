"""What the host shows for TLS: its certificate, and why it is trusted or not."""

import asyncio
import ssl
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes

from shared.errors import PermanentError
from shared.messages.connection_changed import Connection
from shared.registry.checkup.address import Place, place_of
from shared.registry.checkup.result import Found, doubtful, failed, skipped, well
from shared.registry.network_errors import tls_sentence
from shared.registry.tls import tls_context

_SOON: Final = timedelta(days=14)
_NAMES_SHOWN: Final = 6


async def check_certificate(connection: Connection, now: datetime) -> Found:
    """Shake hands as the registry's client will, and show the certificate.  now: UTC, for what expires soon."""
    place = place_of(connection)
    if not place.is_tls:
        if connection.username:
            return doubtful(
                "Not used: user name and password go to the registry where anybody on the way can read them."
            )
        return skipped("Not used: the host starts with http://.")
    strict = connection.model_copy(update={"skip_tls_verification": False})
    try:
        refusal = await _handshake(place, tls_context(strict), connection.connect_timeout_seconds)
    except PermanentError as error:
        return failed(str(error))
    certificate = await _shown(place, connection.connect_timeout_seconds)
    facts = _facts(certificate) if certificate else ()
    if refusal is None:
        return _trusted(certificate, facts, now)
    told = tls_sentence(f"{place.name}:{place.port}", refusal)
    if connection.skip_tls_verification and certificate is not None:
        return doubtful(f"Accepted all the same, as this connection skips verification. {told}", *facts)
    return failed(told, *facts)


def _trusted(certificate: x509.Certificate | None, facts: tuple[tuple[str, str], ...], now: datetime) -> Found:
    if certificate is not None and certificate.not_valid_after_utc - now < _SOON:
        days = (certificate.not_valid_after_utc - now).days
        return doubtful(f"The certificate is trusted, and expires in {days} days: have it renewed.", *facts)
    return well("The certificate is trusted.", *facts)


async def _handshake(place: Place, context: ssl.SSLContext, seconds: float) -> ssl.SSLError | None:
    """Return why the handshake failed, None where it did not."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(place.name, place.port, ssl=context)
    except ssl.SSLError as error:
        return error
    except (OSError, TimeoutError):
        return ssl.SSLError("no answer to the handshake")
    writer.close()
    with suppress(OSError, ssl.SSLError):
        await writer.wait_closed()
    return None


async def _shown(place: Place, seconds: float) -> x509.Certificate | None:
    """Return the certificate, trusted or not; nothing is asked and nothing shown over this connection."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(place.name, place.port, ssl=context)
    except (OSError, TimeoutError):  # an SSLError is an OSError
        return None
    try:
        raw = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        return x509.load_der_x509_certificate(raw) if raw else None
    except ValueError:
        return None
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _facts(certificate: x509.Certificate) -> tuple[tuple[str, str], ...]:
    digest = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
    is_own = certificate.issuer == certificate.subject
    return (
        ("Subject", certificate.subject.rfc4514_string() or "(none)"),
        ("Issuer", "itself (self-signed)" if is_own else certificate.issuer.rfc4514_string()),
        ("Names", _names(certificate)),
        ("Valid from", f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"),
        ("Valid until", f"{certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"),
        ("SHA-256", digest),
    )


def _names(certificate: x509.Certificate) -> str:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return "(none)"
    names = [str(name.value) for name in extension.value]
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
