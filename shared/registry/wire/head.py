"""The head of a request. Source: RFC 9112, Message Format."""

from collections.abc import Mapping

import httpx


def request_head(method: str, url: httpx.URL, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return the head's bytes. Raises httpx.LocalProtocolError for a header that would be another one, or two."""
    lines = [f"{method} {url.raw_path.decode('ascii')} HTTP/1.1", f"Host: {url.netloc.decode('ascii')}"]
    for name, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise httpx.LocalProtocolError(f"the header {name} cannot be written")
        lines.append(f"{name}: {value}")
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")
