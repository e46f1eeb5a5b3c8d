"""An answer whose body was read, within limits."""

import json
import re
import zlib
from dataclasses import dataclass
from typing import Any, Final, Protocol

import httpx

from shared.oci import media_types
from shared.registry.errors import AnswerUnusable, BodyTooLarge, NotARegistry, web_page
from shared.registry.wire.headers import Headers

MANIFEST_BYTES: Final = 8 * 1024 * 1024
"""Twice what the OCI distribution spec lets a registry accept; configs are read within the same limit."""
LISTING_BYTES: Final = 32 * 1024 * 1024
"""A tag list of some 500,000 tags: some registries ignore the page size and give all at once."""
SMALL_BYTES: Final = 64 * 1024
"""Error bodies and tokens."""

_CODE: Final = re.compile(r"[A-Z0-9_]{1,60}")


@dataclass(frozen=True)
class Answer:
    """status, headers and the whole body.  url: where it came from, after redirects."""

    url: httpx.URL
    status: int
    headers: Headers
    body: bytes

    @property
    def host(self) -> str:
        """Host and port it came from."""
        return host_of(self.url)

    @property
    def media_type(self) -> str:
        """Content-Type without its parameters."""
        return media_types.bare(self.headers.get("content-type", ""))

    def is_web_page(self) -> bool:
        return self.media_type == "text/html" or self.body[:200].lstrip()[:1] == b"<"

    def json(self, what: str) -> Any:
        """Return the parsed body. Bytes that are not UTF-8 come as lone surrogates, so that names can be checked.

        Raises AnswerUnusable; NotARegistry for a web page.
        """
        try:
            return json.loads(self.body.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError) as error:
            raise self.unusable(what, "JSON that is cut off or malformed") from error

    def unusable(self, what: str, got: str) -> AnswerUnusable | NotARegistry:
        """Return the error for an answer that is not what was asked for."""
        if self.is_web_page():
            return web_page(self.host, what)
        return AnswerUnusable(
            f"{self.host} answered for {what} with {got}. Check the registry, and the proxy before it.",
            reason="answer_unusable",
        )

    def codes(self) -> frozenset[str]:
        """Return the error codes of a registry's error JSON, empty for any other body.

        Source: OCI distribution-spec, Error Codes.
        """
        try:
            errors = json.loads(self.body)["errors"]
            return frozenset(error["code"] for error in errors if _CODE.fullmatch(error["code"]))
        except (ValueError, TypeError, KeyError, RecursionError):
            return frozenset()


def host_of(url: httpx.URL) -> str:
    """Return host and, where it is given, port: what error texts call a registry."""
    return url.netloc.decode("ascii", "replace")


def below(base: httpx.URL, path: str) -> httpx.URL:
    """Return `httpx.URL(f"{base}{path}")`, for a path whose names are quoted already, and a base without a query.

    Parsing every address anew was a twentieth of a first load's own work.
    """
    if path.startswith(".") or "/." in path:  # it may have to be made simpler
        return httpx.URL(f"{base}{path}")
    url = httpx.URL(base)
    url._uri_reference = url._uri_reference._replace(path=url._uri_reference.path + path)
    return url


class Incoming(Protocol):
    """An answer whose body is still to be read (`shared.registry.transport`)."""

    @property
    def headers(self) -> Headers: ...

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end."""


async def read_body(answer: Incoming, url: httpx.URL, limit: int) -> bytes:
    """Return the body, unpacked; never holds more than `limit` and a piece of it in memory.

    Raises BodyTooLarge, AnswerUnusable for an encoding that was not asked for, httpx.TransportError.
    """
    host = host_of(url)
    if int(answer.headers.get("content-length") or 0) > limit:
        raise _too_large(host, limit)
    unpacked = _Unpacked(host, answer.headers.get("content-encoding", ""), limit)
    while raw := await answer.read():
        unpacked.add(raw)
    return unpacked.whole()


class _Unpacked:
    """A body as it comes in, unpacked at most `limit` + 1 bytes at a time: a small body cannot fill the memory."""

    def __init__(self, host: str, encoding: str, limit: int) -> None:
        self._host = host
        self._limit = limit
        self._pieces: list[bytes] = []
        self._size = 0
        self._gunzip = None
        if encoding.lower() in ("gzip", "x-gzip"):
            self._gunzip = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        elif encoding.lower() not in ("", "identity"):
            raise self._badly_packed()

    def add(self, raw: bytes) -> None:
        """Take the next bytes off the wire."""
        try:
            piece = self._gunzip.decompress(raw, self._limit + 1) if self._gunzip else raw
        except zlib.error as error:
            raise self._badly_packed() from error
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size > self._limit:
            raise _too_large(self._host, self._limit)

    def whole(self) -> bytes:
        """Return the body; nothing comes any more."""
        if self._gunzip and self._pieces and not self._gunzip.eof:
            raise self._badly_packed()
        return b"".join(self._pieces)

    def _badly_packed(self) -> AnswerUnusable:
        return AnswerUnusable(
            f"{self._host} packed its answer in a way not asked for, or cut it off. Check the proxy before it.",
            reason="answer_unusable",
        )


def _too_large(host: str, limit: int) -> BodyTooLarge:
    return BodyTooLarge(
        f"{host} gave an answer of more than {limit // 1024} KiB, more than its kind may have. Look at what it serves.",
        reason="body_too_large",
    )
