"""Scans of images that a person asks for: sent to the trigger, which sends them on, once each."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from secrets import token_hex
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from services.console.inventory.image import tags_reaching
from shared.connections.snapshot import ConnectionsSnapshot
from shared.errors import PermanentError, TransientError
from shared.messages.codec import encode_whole
from shared.messages.connection_changed import Connection
from shared.messages.image_events import EventPlatform
from shared.messages.scan_triggers import ScanTrigger, TriggerReason
from shared.messages.topics import TRIGGER_WANTED
from shared.messages.trigger_wanted import TriggerWanted
from shared.oci.digest import Digest
from shared.oci.reference import purl, reference
from shared.pipeline.kafka import client_options
from shared.pipeline.partitioning import digest_partition
from shared.pipeline.topics import topic_name
from shared.settings import Settings
from shared.store.store import Store


class NotServed(PermanentError):  # says what has happened
    """No connected registry has the image now."""

    def __init__(self, digest: Digest) -> None:
        super().__init__(
            f"No connected registry has an image or an index {digest} now: what is gone cannot be scanned.",
            reason="image_not_served",
        )


@dataclass(frozen=True)
class Triggers:
    """Asks for scans.  clock: the time in UTC, for people."""

    settings: Settings
    store: Store
    clock: Callable[[], datetime]

    async def ask(self, now: ConnectionsSnapshot, digest: Digest) -> list[TriggerWanted]:
        """Ask for the scan of an image, or of all members of an index; whoever holds it, it is asked once.

        Raises NotServed, TransientError where Kafka is down.
        """
        connections = {connection.registry: connection for connection, _ in now.present()}
        rows = await _held(self.store, digest, connections)
        if not rows:
            raise NotServed(digest)
        asked, at = token_hex(8), self.clock()
        wanted = [
            TriggerWanted(trigger=await self._trigger(row, connections[row["registry"]]), seen_at=at, asked=asked)
            for row in rows
        ]
        await self._send(wanted)
        return wanted

    async def _trigger(self, row: dict[str, Any], connection: Connection) -> ScanTrigger:
        digest = Digest(f"sha256:{row['hex_digest']}")
        platform = {name: row[name] for name in EventPlatform.model_fields}
        return ScanTrigger(
            registry=connection.name,
            registry_id=connection.registry,
            host=connection.host,
            repository=row["repository"],
            digest=digest,
            reference=reference(connection.host, row["repository"], digest),
            purl=purl(connection.host, row["repository"], digest, row["architecture"]),
            platform=EventPlatform(**platform),
            media_type=row["media_type"],
            size_bytes=row["size_bytes"],
            created=row["created"],
            first_seen=row["first_seen"],
            tags=tuple(await tags_reaching(self.store, connection.registry, row["repository"], digest)),
            trigger=TriggerReason.ASKED,
            snapshot=False,
        )

    async def _send(self, wanted: Iterable[TriggerWanted]) -> None:
        topic, partitions = topic_name(self.settings, TRIGGER_WANTED), self.settings.partitions
        producer = AIOKafkaProducer(**client_options(self.settings), enable_idempotence=True, acks="all")
        try:
            await producer.start()
            for one in wanted:
                await producer.send_and_wait(topic, encode_whole(one), one.key, digest_partition(one.key, partitions))
        except KafkaError as error:
            raise TransientError(
                f"The scan could not be asked for: Kafka answered {type(error).__name__}. Check that the brokers are "
                "up, then try again.",
                reason="trigger_not_sent",
            ) from error
        finally:
            await producer.stop()


async def _held(store: Store, digest: Digest, registries: Iterable[str]) -> list[dict[str, Any]]:
    """Return the image, or the members of the index, each where it is held first by name."""
    return await store.query(
        """
        WITH toFixedString(unhex({digest:String}), 32) AS wanted
        SELECT *, lower(hex(digest)) AS hex_digest FROM images FINAL
        WHERE present AND kind = 'image' AND registry IN {registries:Array(String)} AND (digest = wanted OR
            (registry, repository, digest) IN (
                SELECT registry, repository, child FROM index_children FINAL WHERE present AND `index` = wanted
            ))
        ORDER BY registry, repository LIMIT 1 BY digest
        """,
        {"digest": digest.hex, "registries": list(registries)},
    )
