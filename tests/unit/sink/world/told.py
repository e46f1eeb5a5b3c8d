"""What was told to the world outside: the events and reports that were committed, folded and checked as they come."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from services.sink.ports import Outgoing
from shared.messages.codec import decode
from shared.messages.image_events import TYPE_PREFIX
from shared.messages.model import ScanContext, ScanKind
from shared.messages.scan_progressed import ScanEnded, ScanProgressed, UnitOutcome, UnitReported
from shared.messages.topics import IMAGE_EVENTS, IMAGE_STATE, IMAGES_OBSERVED, SCAN_PROGRESSED, TAG_STATE, TopicName
from shared.oci.digest import Digest
from tests.unit.sink.world.log import Publication, Source
from tests.unit.sink.world.truth import Inventory, Place, reached_from
from tests.unit.sink.world.upstream import Reads


class Broken(Exception):
    """A promise was broken."""


@dataclass(frozen=True)
class Event:
    """An image event as a consumer reads it. previous, digest: where a tag pointed and points; of an image, itself."""

    kind: str
    identity: str
    data: Mapping[str, Any]

    @property
    def place(self) -> Place:
        return self.data["registry_id"], self.data["repository"]

    @property
    def scan(self) -> int:
        return int(self.data["scan_id"])

    @property
    def tag(self) -> str | None:
        return self.data.get("tag")

    def end(self, name: str) -> Digest | None:
        """Return the digest under a name of the data, None where there is none."""
        return Digest(self.data[name]) if self.data[name] else None


@dataclass(frozen=True)
class Decided:
    """A unit's report with the events before it."""

    context: ScanContext
    repository: str
    outcome: UnitOutcome
    events: tuple[Event, ...]
    sent: tuple[Outgoing, ...]

    @property
    def place(self) -> Place:
        return self.context.registry, self.repository


@dataclass(frozen=True)
class Ended:
    """The end of a scan."""

    context: ScanContext
    status: str
    event: Event
    source: Source


def event_of(record: Outgoing) -> Event:
    """Return the event that a record of `image.events` holds."""
    headers = {name: value.decode() for name, value in record.headers}
    assert record.value is not None
    return Event(headers["ce_type"].removeprefix(TYPE_PREFIX), headers["ce_id"], json.loads(record.value))


def parts_of(publication: Publication) -> Iterator[Decided | Ended]:
    """Yield what a transaction told, in order; absences and closed catalogs are between the partitions."""
    events: list[Outgoing] = []
    for record in publication.records:
        if record.topic in (IMAGE_EVENTS, IMAGE_STATE, TAG_STATE):
            events.append(record)
        elif record.topic is SCAN_PROGRESSED:
            message = decode(ScanProgressed, record.value, 0)
            match message.progress:
                case UnitReported(repository=repository, outcome=outcome):
                    told = tuple(event_of(sent) for sent in events if sent.topic is IMAGE_EVENTS)
                    yield Decided(message.context, repository, outcome, told, (*events, record))
                    events = []
                case ScanEnded(status=status):
                    (event,) = map(event_of, events)
                    yield Ended(message.context, status, event, publication.source)
                    events = []
    if events:
        raise Broken(f"events without a report: {[event_of(event) for event in events]}")


class Told:
    """All that was told so far.  expires: decisions may be forgotten, so a listing that told nothing may come twice."""

    def __init__(
        self,
        reads: Reads,
        observed: Mapping[tuple[str, str, int], tuple[str, Digest] | None],
        *,
        expires: bool,
    ) -> None:
        self._reads = reads
        self._observed: Final = observed  # by one-tag scans, by place and scan
        self._identities: set[str] = set()
        self._tags: dict[tuple[Place, str], tuple[Digest | None, int]] = {}
        self._images: dict[tuple[Place, Digest], bool] = {}
        self._seen: dict[tuple[Place, Digest], int] = defaultdict(int)
        self._seen_tags: dict[tuple[Place, str], int] = defaultdict(int)
        self._full: dict[Place, int] = {}
        self._states: dict[TopicName, dict[bytes, bytes]] = {IMAGE_STATE: {}, TAG_STATE: {}}
        self.expires: Final = expires
        self.decided: dict[Source, list[Decided]] = defaultdict(list)
        self.ended: dict[tuple[str, int], Ended] = {}
        self.events: list[Event] = []
        self._times: Counter[tuple[Place, int]] = Counter()

    def hear(self, publication: Publication) -> list[Ended]:
        """Take a transaction, and return the scans it ended. Raises Broken."""
        ended = []
        for part in parts_of(publication):
            if isinstance(part, Ended):
                self._end(part)
                ended.append(part)
            elif publication.source.topic == IMAGES_OBSERVED.name:
                self._decide(publication.source, part)
        return ended

    def inventory(self, registry: str) -> Inventory:
        """Return what the events of a registry amount to."""
        return Inventory(
            tags={(place[1], tag): to for (place, tag), (to, _) in self._tags.items() if to and place[0] == registry},
            images=frozenset(
                (place[1], digest) for (place, digest), here in self._images.items() if here and place[0] == registry
            ),
        )

    def compacted(self, registry: str) -> Inventory:
        """Return what the state topics say is present in a registry."""
        images, tags = (
            [told for value in self._states[topic].values() if (told := json.loads(value))["registry_id"] == registry]
            for topic in (IMAGE_STATE, TAG_STATE)
        )
        return Inventory(
            tags={(told["repository"], told["tag"]): Digest(told["digest"]) for told in tags},
            images=frozenset((told["repository"], Digest(told["digest"])) for told in images),
        )

    @property
    def full(self) -> Mapping[Place, int]:
        """By place, the number of the last decided listing that was not of one tag."""
        return self._full

    def _end(self, ended: Ended) -> None:
        key = (ended.context.registry, ended.context.scan)
        self._once(ended.event)
        if key in self.ended:
            raise Broken(f"scan ended twice: {key}")
        self.ended[key] = ended

    def _once(self, event: Event) -> None:
        if event.identity in self._identities:
            raise Broken(f"event id told twice: {event}")
        self._identities.add(event.identity)
        self.events.append(event)

    def _decide(self, source: Source, decided: Decided) -> None:
        place, scan = decided.place, decided.context.scan
        if decided.outcome is UnitOutcome.SKIPPED:
            if decided.events:
                raise Broken(f"a skipped listing told events: {decided}")
            return
        self.decided[source].append(decided)
        self._times[place, scan] += bool(decided.events or not self.expires)
        if self._times[place, scan] > 1:
            raise Broken(f"listing decided twice: {place} scan {scan}")
        if scan <= self._full.get(place, 0):
            raise Broken(f"listing decided out of order: {place} scan {scan} after {self._full[place]}")
        if not self._is_of_one_reading(decided):
            raise Broken(f"what was told is not what one reading saw: {decided.events}")
        for event in decided.events:
            self._once(event)
            if (event.place, event.scan) != (place, scan):
                raise Broken(f"event of another listing: {event}")
            if event.tag is None:
                self._tell_image(event)
            else:
                self._tell_tag(event, event.tag)
        for record in decided.sent:
            self._take_state(record)
        self._remember(decided)

    def _take_state(self, record: Outgoing) -> None:
        """Compact a record of a state topic, as Kafka does: the last of a key stays, a tombstone takes it away."""
        if record.topic not in self._states:
            return
        if record.value is None:
            self._states[record.topic].pop(record.key, None)
        else:
            self._states[record.topic][record.key] = record.value

    def _is_of_one_reading(self, decided: Decided) -> bool:
        """Return whether some whole reading saw all tags where they are told to be, and none that is told removed."""
        ends = {event.tag: event.end("to") for event in decided.events if event.tag}
        if (
            not any(ends.values())
            and decided.repository in self._reads.missing[decided.place[0], "", decided.context.scan]
        ):
            return True  # told absent by the catalog
        return any(
            all(
                any(page.tags.get(tag) == to for workings in reading for page in workings)
                if to
                else all(any(tag not in page.tags for page in workings) for workings in reading)
                for tag, to in ends.items()
            )
            for reading in self._reads.readings((*decided.place, decided.context.scan))
        )

    def _remember(self, decided: Decided) -> None:
        place, scan = decided.place, decided.context.scan
        if decided.context.kind is not ScanKind.TAG:
            self._full[place] = scan
        elif (seen := self._observed.get((*place, scan))) is not None:
            tag, digest = seen
            self._seen_tags[place, tag] = max(scan, self._seen_tags[place, tag])
            for reached in reached_from((digest,)):
                self._seen[place, reached] = max(scan, self._seen[place, reached])

    def _tell_tag(self, event: Event, tag: str) -> None:
        key, before, to = (event.place, tag), event.end("from"), event.end("to")
        known, scan = self._tags.get(key, (None, 0))
        kind = "tag.moved" if before and to else "tag.created" if to else "tag.removed"
        if known != before or before == to or event.kind != kind:
            raise Broken(f"broken chain of a tag: {event}, known {known}")
        if event.scan <= scan or event.scan < self._seen_tags[key]:
            raise Broken(f"tag told out of order: {event}, known of scan {scan}, {self._seen_tags[key]}")
        if to is None and not self._missed(event, tag):
            raise Broken(f"tag removed that nobody saw missing: {event}")
        if to is not None and (tag, to) not in self._reads.digests[*event.place, event.scan]:
            raise Broken(f"tag told to point where it was not seen: {event}")
        self._tags[key] = (to, event.scan)

    def _missed(self, event: Event, tag: str) -> bool:
        """Return whether the scan saw the tag missing, or the whole repository."""
        registry, repository = event.place
        missing = self._reads.missing
        return tag in missing[registry, repository, event.scan] or repository in missing[registry, "", event.scan]

    def _tell_image(self, event: Event) -> None:
        digest = Digest(event.data["digest"])
        key, here = (event.place, digest), event.kind != "image.removed"
        known = self._images.get(key)
        kind = "image.removed" if known else "image.discovered" if known is None else "image.reappeared"
        if event.kind != kind:
            raise Broken(f"broken chain of an image: {event}, known {known}")
        seen = reached_from(to for _, to in self._reads.digests[*event.place, event.scan])
        if here and digest not in seen:
            raise Broken(f"image told that was not seen: {event}")
        if not here and self._seen[key] > event.scan:
            raise Broken(f"image removed that a later scan saw: {event}, seen by {self._seen[key]}")
        self._images[key] = here
