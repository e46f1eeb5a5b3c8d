"""A scanner adapter, as many scanners have one: asked to scan, and left to it; its report is for whoever reads reports.

Source: pluggable-scanner-spec, scanner-adapter-openapi v1.2, `POST /api/v1/scan`.
"""

from dataclasses import dataclass, field
from typing import Final

import httpx
from pydantic import SecretStr
from pydantic_core import to_json

from services.access import DecryptsPasswords
from services.trigger.receivers.posting import post
from services.trigger.rules import KnowsConnections
from shared.messages.delivery_requested import DeliveryRequested
from shared.registry.credentials import basic_authorization

_PATH: Final = "/api/v1/scan"
_REQUEST: Final = "application/vnd.scanner.adapter.scan.request+json; version=1.0"
_RESPONSE: Final = "application/vnd.scanner.adapter.scan.response+json; version=1.0"


@dataclass(frozen=True)
class Credentials:
    """How the adapter is to sign in at registries: as our connections do. They go to the adapter alone, to no topic."""

    connections: KnowsConnections
    secrets: DecryptsPasswords

    async def authorization(self, registry: str) -> str | None:
        """Return the registry's Authorization header, None where it is read as a guest or is deleted."""
        connection = await self.connections.latest(registry)
        if connection is None or not connection.username or not connection.password:
            return None
        return basic_authorization(connection.username, self.secrets.decrypt(connection.password))


@dataclass(frozen=True)
class ScannerAdapter:
    """The adapter.  authorization: shown to it.  credentials: None = it signs in at registries by its own means."""

    url: str
    client: httpx.AsyncClient
    authorization: SecretStr | None
    credentials: Credentials | None
    name: str = field(default="scanner", init=False)

    async def hand(self, delivery: DeliveryRequested) -> None:
        """Ask for the scan of an image. Raises TransientError, PermanentError."""
        headers = {"Content-Type": _REQUEST, "Accept": _RESPONSE}
        if self.authorization is not None:
            headers["Authorization"] = self.authorization.get_secret_value()
        await post(self.client, self.url.rstrip("/") + _PATH, headers, to_json(await self._request(delivery)))

    async def _request(self, delivery: DeliveryRequested) -> dict[str, dict[str, str]]:
        trigger = delivery.trigger
        registry = {"url": trigger.host}
        if self.credentials is not None:
            shown = await self.credentials.authorization(trigger.registry_id)
            registry |= {"authorization": shown} if shown else {}
        artifact = {"repository": trigger.repository, "digest": trigger.digest, "mime_type": trigger.media_type}
        artifact |= {"tag": trigger.tags[0]} if trigger.tags else {}
        return {"registry": registry, "artifact": artifact}
