"""Whether what a person gave as a CA can be trusted at all: TLS reads it as it will be read later."""

import ssl


def holds_certificates(pem: str) -> bool:
    """Return whether the text is PEM certificates that OpenSSL takes."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, TypeError, ValueError):  # TypeError: it is not ASCII
        return False
    return True
