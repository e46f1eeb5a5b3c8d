"""Webhooks: a trigger as a CloudEvent, posted and signed.

Source: Standard Webhooks 1.0 (signature), CloudEvents 1.0 HTTP binding, structured mode (body).
"""

import hmac
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from urllib.parse import urlsplit

import httpx

from services.trigger.event import trigger_event
from services.trigger.receivers.posting import post
from shared.messages.delivery_requested import DeliveryRequested
from shared.messages.image_events import EventsMode


def signature(key: bytes, id_: str, timestamp: int, body: bytes) -> str:
    """Return what `webhook-signature` says: HMAC-SHA256 of id, time and body, in base64 behind `v1,`."""
    signed = f"{id_}.{timestamp}.".encode() + body
    return "v1," + b64encode(hmac.new(key, signed, sha256).digest()).decode()


@dataclass(frozen=True)
class Webhook:
    """One address that is told of triggers.  clock: seconds since 1970, for the receiver to refuse what is old."""

    url: str = field(repr=False)
    key: bytes = field(repr=False)
    client: httpx.AsyncClient
    clock: Callable[[], float]

    @property
    def name(self) -> str:
        """By which deliveries name it: its host, and what tells two addresses there apart; no secret of its path."""
        return f"webhook {urlsplit(self.url).hostname} {sha256(self.url.encode()).hexdigest()[:8]}"

    async def hand(self, delivery: DeliveryRequested) -> None:
        """Post a trigger. Raises TransientError, PermanentError."""
        headers, body = trigger_event(delivery.id, delivery.at, delivery.trigger).on_kafka(EventsMode.STRUCTURED)
        timestamp = int(self.clock())
        signed = {
            "webhook-id": delivery.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self.key, delivery.id, timestamp, body),
        }
        told = {name: value.decode() for name, value in headers}
        await post(self.client, self.url, {**told, **signed}, body)
