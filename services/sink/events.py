"""The public events of a decision: CloudEvents 1.0 in Kafka's binary mode, ids deterministic. Pure.

Source: CloudEvents spec, Kafka protocol binding 3.2; purl-spec, type `oci`.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final
from urllib.parse import quote
from uuid import UUID, uuid5

from services.sink.decision import Change, Decision, RegistryFacts
from services.sink.ending import Ending
from shared.messages.model import ScanContext
from shared.oci.digest import Digest
from shared.store.rows import ImageRow

TYPE_PREFIX: Final = "dev.tallyman."
_NAMESPACE: Final = UUID("6f1b2f1e-6a52-5d7c-9a37-3a1f1c1c7a11")


@dataclass(frozen=True)
class Event:
    """An event ready to send. repository: None for what is told of a scan as a whole."""

    context: ScanContext
    repository: str | None
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


def events_of(decision: Decision) -> Iterator[Event]:
    """Yield the decision's events, in the order they are told."""
    images = {row.digest: row for row in decision.rows.images}
    for change in decision.changes:
        if change.tag is not None:
            yield _event(decision, change, f"{decision.repository}:{change.tag}", _tag_data(decision, change))
        elif change.digest is not None:
            image = _image_data(decision, images[change.digest])
            yield _event(decision, change, f"{decision.repository}@{change.digest}", image)


def event_of_ending(ending: Ending) -> Event:
    """Return `scan.failed` for a scan whose catalog could not be read, `scan.completed` for any other."""
    kind = "scan.failed" if ending.status == "failed" else "scan.completed"
    data = {
        **_registry_data(ending.context, ending.registry),
        "status": ending.status,
        "reason": ending.reason,
        "repositories": ending.repositories,
        **ending.counts.model_dump(),
    }
    identity = _identity(ending.context, "", "", "", "", kind)
    headers = _headers(kind, identity, ending.context, f"scan/{ending.context.scan}", ending.ended_at)
    return Event(ending.context, None, headers, _json(data))


def _event(decision: Decision, change: Change, subject: str, data: dict[str, object]) -> Event:
    ends = (change.previous or "", change.digest or "")
    identity = _identity(decision.context, decision.repository, change.tag or "", *ends, change.type)
    headers = _headers(change.type, identity, decision.context, subject, decision.decided_at)
    facts = {**_registry_data(decision.context, decision.registry), "repository": decision.repository, **data}
    return Event(decision.context, decision.repository, headers, _json(facts))


def _identity(context: ScanContext, repository: str, tag: str, old: str, new: str, kind: str) -> str:
    """Return the event's id: of what happened, so that a replay repeats it. No name holds a line feed."""
    parts = (context.registry, repository, tag, old, new, kind, str(context.scan))
    return str(uuid5(_NAMESPACE, "\n".join(parts)))


def _headers(
    kind: str, identity: str, context: ScanContext, subject: str, time: datetime
) -> tuple[tuple[str, bytes], ...]:
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": identity,
        "ce_source": f"urn:tallyman:registry:{context.registry}",
        "ce_type": TYPE_PREFIX + kind,
        "ce_subject": subject,
        "ce_time": time.isoformat().replace("+00:00", "Z"),
        "content-type": "application/json",
    }
    return tuple((name, value.encode()) for name, value in attributes.items())


def _registry_data(context: ScanContext, registry: RegistryFacts) -> dict[str, object]:
    return {
        "registry": registry.name,
        "registry_id": context.registry,
        "host": registry.host,
        "scan_id": context.scan,
    }


def _tag_data(decision: Decision, change: Change) -> dict[str, object]:
    return {
        "tag": change.tag,
        "from": change.previous,
        "to": change.digest,
        "reference": _reference(decision, change.digest) if change.digest else None,
    }


def _image_data(decision: Decision, row: ImageRow) -> dict[str, object]:
    return {
        "digest": row.digest,
        "reference": _reference(decision, row.digest),
        "purl": _purl(decision, row),
        "platform": {
            "os": row.os,
            "architecture": row.architecture,
            "variant": row.variant,
            "os_version": row.os_version,
        },
        "media_type": row.media_type,
        "size_bytes": row.size_bytes,
        "created": row.created.isoformat() if row.created else None,
        "tags": list(decision.tags_of.get(row.digest, ())),
    }


def _pull_name(decision: Decision) -> str:
    return f"{decision.registry.host.partition('://')[2]}/{decision.repository}"


def _reference(decision: Decision, digest: Digest) -> str:
    return f"{_pull_name(decision)}@{digest}"


def _purl(decision: Decision, row: ImageRow) -> str:
    name = decision.repository.rpartition("/")[2].lower()
    qualifiers = {"arch": row.architecture, "repository_url": _pull_name(decision)}
    query = "&".join(f"{key}={_quoted(value)}" for key, value in qualifiers.items() if value)
    return f"pkg:oci/{_quoted(name)}@sha256%3A{row.digest.hex}?{query}"


@lru_cache(maxsize=1000)  # a repository's images come together, and architectures are few
def _quoted(text: str) -> str:
    return quote(text, safe="")


def _json(data: dict[str, object]) -> bytes:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
