"""Observations, states and messages for tests of the sink, by short names: a digest goes by the word it is made of."""

from collections.abc import Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from services.sink.decide import Fuse, decide_listing
from services.sink.decision import Decision, RegistryFacts
from services.sink.observation import Observation
from services.sink.ports import Clocks, Received
from services.sink.stalls import Level, Place
from services.sink.state import state_after
from shared.messages.images_observed import ImagesObserved, ManifestKind, ObservedChild, ObservedManifest, ObservedTag
from shared.messages.model import Failure, Reading, ScanContext, ScanKind
from shared.messages.scan_progressed import Progress, ScanProgressed
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.store.state import RepositoryState

T = TypeVar("T")

REGISTRY = "registry1"
REPOSITORY = "team/app"
FACTS = RegistryFacts(name="prod", host="https://registry.example.com")
NO_FUSE = Fuse(share=1.0, minimum=1_000_000)
NOTHING = RepositoryState()
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
CLOCKS = Clocks(lambda: BEGINNING, lambda: 0.0)


class Queues:
    """How far the stages are, set by hand; nothing waits anywhere else."""

    def __init__(self) -> None:
        self.told: dict[Place, Level] = {}

    async def levels(self) -> dict[Place, Level]:
        return self.told


def digest(word: str) -> Digest:
    return Digest.of(word.encode())


def context(scan: int = 1, kind: ScanKind = ScanKind.FULL, **fields: Any) -> ScanContext:
    return ScanContext(
        registry=REGISTRY, scan=scan, kind=kind, **{"connection": 0, "slot": 0, "shards": 1, "partitions": 1, **fields}
    )


def manifest(word: str, kind: ManifestKind = "image", children: Iterable[str] = (), **fields: Any) -> ObservedManifest:
    """Facts of a manifest; an image's architecture is its word."""
    platform = Platform(os="linux", architecture=word)
    told: dict[str, Any] = {
        "media_type": f"application/vnd.test.{kind}",
        "platform": platform if kind == "image" else Platform(),
        "size_bytes": None if kind == "index" else 100,
        "children": tuple(
            ObservedChild(digest=digest(child), platform=Platform(os="linux", architecture=child)) for child in children
        ),
    }
    return ObservedManifest(digest=digest(word), kind=kind, **{**told, **fields})


def seen(
    scan: int,
    tags: dict[str, str] | None = None,
    *,
    failed: Iterable[str] = (),
    gone: Iterable[str] = (),
    manifests: Iterable[ObservedManifest] | None = None,
    kind: ScanKind = ScanKind.FULL,
    confirmed: bool = False,
    **fields: Any,
) -> Observation:
    """A reading of the repository. manifests: facts told; unless given, each tag's digest is an image."""
    tags = tags or {}
    facts = [manifest(word) for word in tags.values()] if manifests is None else manifests
    return Observation(
        context=context(scan, kind, confirmed=confirmed),
        repository=REPOSITORY,
        observed_at=BEGINNING + timedelta(hours=scan),
        tags={tag: digest(word) for tag, word in tags.items()},
        failed={tag: Failure(what=tag, reason="unreachable") for tag in failed},
        gone=frozenset(gone),
        manifests={fact.digest: fact for fact in facts},
        **fields,
    )


def decided(state: RepositoryState, observation: Observation, fuse: Fuse = NO_FUSE) -> Decision:
    return decide_listing(state, observation, fuse).model_copy(update={"registry": FACTS})


def state_of(*observations: Observation) -> RepositoryState:
    """What is stored after these observations, decided one after another."""
    state = NOTHING
    for observation in observations:
        state = state_after(state, decided(state, observation).rows)
    return state


def changes(decision: Decision) -> list[str]:
    """The changes in words: `tag.moved 1 b`, by tag, or by the word of an image's digest."""
    words = {digest(word): word for word in (*"abcdefgh", "amd64", "arm64", "s390x", "pair", "other", "chart")}
    return [
        " ".join(filter(None, (change.type.value, change.tag, words[change.digest] if change.digest else None)))
        for change in decision.changes
    ]


def present(state: RepositoryState) -> tuple[dict[str, str], set[str]]:
    """What is present: tags with the first letters of their digests, and manifests."""
    words = {digest(word): word for word in (*"abcdefgh", "amd64", "arm64", "s390x", "pair", "other", "chart")}
    return (
        {tag: words[row.digest] for tag, row in state.tags.items() if row.present},
        {words[row.digest] for row in state.images.values() if row.present},
    )


def observed(scan: int, tags: dict[str, str] | None = None, **fields: Any) -> ImagesObserved:
    """A message: the one page of a reading, unless `reading` says otherwise."""
    kind = fields.pop("kind", ScanKind.FULL)
    tags = tags or {}
    told: dict[str, Any] = {
        "context": context(scan, kind),
        "repository": REPOSITORY,
        "reading": Reading(id=f"of {scan}", leg="leg", page=0, last=True),
        "tags": tuple(ObservedTag(name=tag, digest=digest(word)) for tag, word in tags.items()),
        "manifests": tuple(manifest(word) for word in tags.values()),
        "observed_at": BEGINNING + timedelta(hours=scan),
    }
    return ImagesObserved(**{**told, **fields})


def progressed(progress: Progress, scan: int = 1, **fields: Any) -> ScanProgressed:
    return ScanProgressed(context=context(scan, **fields), progress=progress)


class OneRegistry:
    """Knows the registry, unless it was deleted."""

    def __init__(self, *, deleted: bool = False) -> None:
        self._facts = None if deleted else FACTS
        self.running: list[ScanContext] = []

    async def facts(self, of: ScanContext) -> RegistryFacts | None:
        return self._facts

    def deleted(self) -> list[str]:
        return [] if self._facts else [REGISTRY]

    async def unfinished(self, partition: int) -> list[ScanContext]:
        return self.running


def batch(*messages: Any, first: int = 0) -> list[Received[Any]]:
    """Messages as they lie one after another in partition 0."""
    return [Received(0, first + number, message) for number, message in enumerate(messages)]


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    raise AssertionError("it waited")
