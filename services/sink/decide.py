"""The rule: (state of a repository, observation) → decision. Pure; no clock decides anything.

Held against a randomised model of crashes, zombies, redelivery and overlapping scans.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from services.sink.decision import Change, ChangeType, Decision, Rows
from services.sink.observation import REASON_HELD, Observation
from services.sink.row_making import (
    child_row,
    config_row,
    image_row,
    move_row,
    new_image_row,
    repository_row,
    tag_row,
)
from shared.messages.model import Failure
from shared.messages.scan_progressed import Counts, UnitOutcome
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.store.rows import ImageRow, TagRow
from shared.store.state import RepositoryState

REASON_SUPERSEDED: Final = "superseded"

NAMED_OUT_OF_SCOPE: Final = 100
"""Tags out of scope that a unit names; it counts them all."""


@dataclass(frozen=True)
class Fuse:
    """Holds removals back for a person: more than `share` of what is there, and at least `minimum`."""

    share: float
    minimum: int

    def trips(self, removed: int, present: int) -> bool:
        """Return True when so many of so many are too many to believe."""
        return removed >= self.minimum and removed > self.share * present


def decide_listing(state: RepositoryState, seen: Observation, fuse: Fuse) -> Decision:
    """Return the one decision on this observation, given what the store says of the repository."""
    if _superseded(state, seen):
        reason = Failure(what=seen.repository, reason=REASON_SUPERSEDED, detail="A newer scan has decided already.")
        return _decision(seen, UnitOutcome.SKIPPED, failures=(reason,), counts=Counts(requests=seen.requests))
    decision = _decide(state, seen)
    if seen.of_one_tag or seen.absent or seen.context.confirmed:
        return decision
    removed = sum(change.type is ChangeType.TAG_REMOVED for change in decision.changes)
    present = sum(row.present for row in state.tags.values())
    if not fuse.trips(removed, present):
        return decision
    held = Failure(
        what=seen.repository,
        reason=REASON_HELD,
        detail=f"{removed} of {present} tags would be removed, too many to believe it: confirm it if they are gone "
        "(tallyman scan confirm, or on the registry's page).",
    )
    return _decide(state, seen.without_proof(held)).model_copy(update={"outcome": UnitOutcome.HELD})


def _superseded(state: RepositoryState, seen: Observation) -> bool:
    if seen.context.scan <= state.full:
        return True
    if not seen.of_one_tag:
        return False
    own = (state.tags[tag] for tag in (*seen.tags, *seen.gone) if tag in state.tags)
    return any(row.version >= seen.context.scan for row in own)


@dataclass
class _Draft:
    """A decision in the making."""

    state: RepositoryState
    seen: Observation
    members: dict[Digest, dict[Digest, Platform]]
    rows: dict[str, list[object]] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)

    @property
    def scan(self) -> int:
        return self.seen.context.scan

    def write(self, table: str, row: object) -> None:
        self.rows.setdefault(table, []).append(row)

    def reached_by(self, digest: Digest) -> set[Digest]:
        """Return the digest, and its members where it is an index."""
        return {digest, *self.members.get(digest, ())}

    def reach(self, digests: Iterable[Digest]) -> set[Digest]:
        """Return these digests and the members of those that are indexes."""
        return set().union(*map(self.reached_by, digests))


def _decide(state: RepositoryState, observed: Observation) -> Decision:
    members = _members(state, observed)
    seen = observed.without_facts_of(_tags_without_facts(state, observed, members))
    draft = _Draft(state, seen, members)
    _decide_tags(draft)
    reached = draft.reach(seen.tags.values())
    kept = draft.reach(_digests_out_of_scope(draft))
    for digest in sorted(reached):
        _keep_image(draft, digest)
    for index in sorted(reached & members.keys()):
        _keep_children(draft, index)
    if seen.complete and not seen.failed and not seen.of_one_tag:
        _remove_unreached(draft, reached | kept)
    if not seen.of_one_tag:
        draft.write("repositories", repository_row(state, seen))
    sound = seen.complete and not seen.failed
    return _decision(
        seen,
        UnitOutcome.STORED if sound else UnitOutcome.FAILED,
        rows=Rows(**draft.rows),  # by table name; pydantic checks each row's class
        changes=tuple(draft.changes),
        tags_of=_tags_of(draft),
        images_of=_images_of(draft),
        counts=_counts(draft, reached),
        out_of_scope=tuple(sorted(seen.out_of_scope)[:NAMED_OUT_OF_SCOPE]),
        failures=(*seen.failures, *seen.failed.values()),
    )


def _members(state: RepositoryState, seen: Observation) -> dict[Digest, dict[Digest, Platform]]:
    """Return index → child → platform: what is stored, present or not, and what was read."""
    members: dict[Digest, dict[Digest, Platform]] = {}
    for (index, child), row in state.children.items():
        platform = Platform(os=row.os, architecture=row.architecture, variant=row.variant, os_version=row.os_version)
        members.setdefault(index, {})[child] = platform
    for manifest in seen.manifests.values():
        for member in manifest.children:
            members.setdefault(manifest.digest, {})[member.digest] = member.platform
    return members


def _tags_without_facts(
    state: RepositoryState, seen: Observation, members: Mapping[Digest, Mapping[Digest, Platform]]
) -> list[str]:
    """Return the tags that lead to a digest neither stored nor read: they count as failed, not as empty."""

    def known(digest: Digest) -> bool:
        return digest in state.images or digest in seen.manifests

    return [
        tag
        for tag, digest in seen.tags.items()
        if not known(digest) or not all(known(child) for child in members.get(digest, ()))
    ]


def _decide_tags(draft: _Draft) -> None:
    for tag, digest in sorted(draft.seen.tags.items()):
        _keep_tag(draft, tag, digest)
    removed = set(draft.seen.gone)
    if draft.seen.complete and not draft.seen.of_one_tag:
        listed = draft.seen.tags.keys() | draft.seen.failed.keys() | draft.seen.out_of_scope
        removed |= draft.state.tags.keys() - listed
    for tag in sorted(removed):
        _remove_tag(draft, tag)


def _digests_out_of_scope(draft: _Draft) -> Iterable[Digest]:
    """Return where the tags that are out of scope pointed when they were last seen: that may still be there."""
    rows = (draft.state.tags.get(tag) for tag in draft.seen.out_of_scope)
    return (row.digest for row in rows if row and row.present)


def _keep_tag(draft: _Draft, tag: str, digest: Digest) -> None:
    row = draft.state.tags.get(tag)
    if row and row.version >= draft.scan:
        return
    previous = row.digest if row and row.present else None
    if previous != digest or draft.seen.of_one_tag:
        draft.write("tags", tag_row(draft.seen, tag, digest, row, present=True))
    if previous == digest:
        return
    draft.write("moves", move_row(draft.seen, tag, digest, previous))
    kind = ChangeType.TAG_MOVED if previous else ChangeType.TAG_CREATED
    draft.changes.append(Change(type=kind, tag=tag, digest=digest, previous=previous))


def _remove_tag(draft: _Draft, tag: str) -> None:
    row = draft.state.tags.get(tag)
    if row is None or row.version >= draft.scan:
        return
    if row.present or draft.seen.of_one_tag:
        draft.write("tags", tag_row(draft.seen, tag, row.digest, row, present=False))
    if row.present:
        draft.write("moves", move_row(draft.seen, tag, None, row.digest))
        draft.changes.append(Change(type=ChangeType.TAG_REMOVED, tag=tag, previous=row.digest))


def _keep_image(draft: _Draft, digest: Digest) -> None:
    row = draft.state.images.get(digest)
    if row is None:
        manifest = draft.seen.manifests[digest]
        new = new_image_row(draft.seen, manifest)
        draft.write("images", new)
        if config := config_row(draft.seen, manifest):
            draft.write("configs", config)
        _tell_image(draft, ChangeType.IMAGE_DISCOVERED, new)
        return
    told = draft.seen.manifests.get(digest)
    richer = told is not None and told.size_bytes is not None and row.size_bytes is None
    if row.version >= draft.scan or (row.present and not richer and not draft.seen.of_one_tag):
        return
    draft.write("images", image_row(draft.seen, row, present=True))
    if not row.present:
        _tell_image(draft, ChangeType.IMAGE_REAPPEARED, row)


def _keep_children(draft: _Draft, index: Digest) -> None:
    for child, platform in sorted(draft.members[index].items()):
        row = draft.state.children.get((index, child))
        if row and (row.version >= draft.scan or (row.present and not draft.seen.of_one_tag)):
            continue
        draft.write("children", child_row(draft.seen, index, child, platform, present=True))


def _remove_unreached(draft: _Draft, reached: set[Digest]) -> None:
    for digest, row in sorted(draft.state.images.items()):
        if row.present and digest not in reached and row.version < draft.scan:
            draft.write("images", image_row(draft.seen, row, present=False))
            _tell_image(draft, ChangeType.IMAGE_REMOVED, row)
    for (index, child), member in sorted(draft.state.children.items()):
        if member.present and index not in reached and member.version < draft.scan:
            draft.write("children", child_row(draft.seen, index, child, draft.members[index][child], present=False))


def _tell_image(draft: _Draft, kind: ChangeType, row: ImageRow) -> None:
    if row.kind == "image":
        draft.changes.append(Change(type=kind, digest=row.digest))


def _images_of(draft: _Draft) -> dict[Digest, tuple[Digest, ...]]:
    """Return, for each digest that a written tag points to, the images it reaches, if not itself alone."""
    images: dict[Digest, tuple[Digest, ...]] = {}
    for row in draft.rows.get("tags", ()):
        assert isinstance(row, TagRow)
        if row.present and row.digest not in images:
            images[row.digest] = tuple(sorted(d for d in draft.reached_by(row.digest) if _kind(draft, d) == "image"))
    return {digest: reached for digest, reached in images.items() if reached != (digest,)}


def _kind(draft: _Draft, digest: Digest) -> str:
    row = draft.state.images.get(digest)
    return row.kind if row else draft.seen.manifests[digest].kind


def _tags_of(draft: _Draft) -> dict[Digest, tuple[str, ...]]:
    """Return, for each image that is told of, the observed tags that reach it."""
    told = {change.digest for change in draft.changes if change.tag is None and change.digest}
    tags: dict[Digest, list[str]] = {}
    for tag, digest in sorted(draft.seen.tags.items()):
        for reached in draft.reached_by(digest) & told:
            tags.setdefault(reached, []).append(tag)
    return {digest: tuple(names) for digest, names in tags.items()}


def _counts(draft: _Draft, reached: set[Digest]) -> Counts:
    kinds = [_kind(draft, digest) for digest in reached]
    told = [change.type for change in draft.changes]
    return Counts(
        tags=len(draft.seen.tags) + len(draft.seen.failed),
        images=kinds.count("image"),
        artifacts=kinds.count("artifact"),
        discovered=told.count(ChangeType.IMAGE_DISCOVERED) + told.count(ChangeType.IMAGE_REAPPEARED),
        removed=told.count(ChangeType.IMAGE_REMOVED),
        failed=len(draft.seen.failed) + len(draft.seen.failures),
        requests=draft.seen.requests,
        tags_out_of_scope=len(draft.seen.out_of_scope),
    )


def _decision(seen: Observation, outcome: UnitOutcome, **told: object) -> Decision:
    return Decision(
        context=seen.context,
        repository=seen.repository,
        decided_at=seen.observed_at,
        outcome=outcome,
        **told,  # the rest of Decision's fields; pydantic checks them
    )
