"""Somebody's webhook: believes what is signed and fresh, as Standard Webhooks tells receivers to.

Source: Standard Webhooks 1.0, "Verifying signatures"; written apart from the code under test.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from tests.support.web import serving

_TOLERANCE_SECONDS: Final = 300


@dataclass
class WebhookReceiver:
    """A running receiver.  secret: whsec_….  believed: events, in order.  refused: why.  answers: statuses first."""

    secret: str
    url: str = ""
    believed: list[dict[str, Any]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        """Answer a POST."""
        if self.answers:
            status = self.answers.pop(0)
            return web.Response(status=status, headers={"Location": "/elsewhere"} if 300 <= status < 400 else {})
        body = await request.read()
        why = self._why_not(request, body)
        if why:
            self.refused.append(why)
            return web.Response(status=400)
        self.believed.append(json.loads(body))
        return web.Response(status=204)

    def _why_not(self, request: web.Request, body: bytes) -> str:
        try:
            id_, at, told = (request.headers[f"webhook-{name}"] for name in ("id", "timestamp", "signature"))
        except KeyError as error:
            return f"no {error}"
        if abs(time.time() - int(at)) > _TOLERANCE_SECONDS:
            return "too old"
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        mac = hmac.new(key, b".".join((id_.encode(), at.encode(), body)), hashlib.sha256)
        if f"v1,{base64.b64encode(mac.digest()).decode()}" not in told.split():
            return "signature"
        if request.headers.get("Content-Type") != "application/cloudevents+json":
            return "content type"
        return "" if json.loads(body)["id"] == id_ else "id"


@asynccontextmanager
async def webhook_receiver(secret: str, *answers: int) -> AsyncIterator[WebhookReceiver]:
    """Run a receiver until the block ends; its address has a secret in its path, as many have."""
    receiver = WebhookReceiver(secret, answers=list(answers))
    async with serving([web.post("/hooks/hidden-path", receiver.take)]) as url:
        receiver.url = f"{url}/hooks/hidden-path"
        yield receiver
