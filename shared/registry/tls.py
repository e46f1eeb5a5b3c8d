"""How a connection trusts: the system's CAs and its own, or, where a person says so, anybody."""

import ssl
from functools import lru_cache

from shared.errors import PermanentError
from shared.messages.connection_changed import Connection


def tls_context(connection: Connection) -> ssl.SSLContext:
    """Return the TLS settings for all hosts of a connection: registry, token service, storage.

    Raises PermanentError (reason `ca_invalid`) if its CA is not PEM.
    """
    try:
        return _context(connection.ca, connection.skip_tls_verification)
    except (ssl.SSLError, TypeError, ValueError) as error:  # TypeError: it is not ASCII
        raise PermanentError(
            f"The CA of connection {connection.name} is not a certificate in PEM form. Give the file that starts "
            "with -----BEGIN CERTIFICATE-----.",
            reason="ca_invalid",
        ) from error


@lru_cache
def _context(ca: str | None, skip_verification: bool) -> ssl.SSLContext:
    """Return one context for all connections that trust alike: the system's CAs alone take most of a MiB in each."""
    context = ssl.create_default_context()
    if ca:
        context.load_verify_locations(cadata=ca)
    if skip_verification:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
