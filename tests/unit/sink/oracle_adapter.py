"""The real decide function, in the words of a randomised model of the sink's rules (see tests/unit/sink/README.md).

    python -m tests.unit.sink.oracle_adapter PATH/TO/model.py [runs]

prints what the hunt found in both modes, with and without a fuse; nothing is the answer wanted.
"""

import importlib.util
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

from services.sink.decide import Fuse, decide_listing
from services.sink.decision import Decision
from services.sink.observation import Observation
from shared.messages.images_observed import ObservedChild, ObservedManifest
from shared.messages.model import Failure, ScanContext, ScanKind
from shared.oci.digest import Digest
from shared.oci.platform import Platform
from shared.store.rows import ImageRow, IndexChildRow, TagRow
from shared.store.state import RepositoryState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REGISTRY = "registry1"
NO_FUSE = Fuse(share=1.0, minimum=1_000_000)
MODEL_FUSE = Fuse(share=0.5, minimum=2)


def digest_of(name: str) -> Digest:
    return Digest.of(name.encode())


class Adapter:
    """Model words in, the real function, model words out."""

    def __init__(self, model: ModuleType) -> None:
        self.model = model
        self.names = {digest_of(name): name for name in model.KIND}

    def decide(self, state: Any, seen: Any, repo: str, cause: object, rules: Any) -> Any:
        fuse = MODEL_FUSE if rules.fuse else NO_FUSE
        told = self.told(decide_listing(self.state(state, repo), self.observation(seen, repo), fuse), cause)
        told.seen = self.reached(state, seen)
        return told

    def reached(self, state: Any, seen: Any) -> frozenset[str]:
        """Return what the observation shows present, in the model's own way: its check looks back at it."""
        pairs = {*state.children, *((i, c) for i, children in seen.children.items() for c in children)}
        straight = set(seen.tags.values())
        return frozenset(straight | {child for index, child in pairs if index in straight})

    def state(self, state: Any, repo: str) -> RepositoryState:
        return RepositoryState(
            full=state.full,
            present=True,
            listed_at=NOW,
            tags={
                tag: TagRow(REGISTRY, repo, tag, digest_of(name), bool(present), NOW, version)
                for tag, (name, present, version) in state.tags.items()
                if name
            },
            images={digest_of(name): self.image(repo, name, *row) for name, row in state.images.items()},
            children={
                (digest_of(i), digest_of(c)): IndexChildRow(
                    REGISTRY, repo, digest_of(i), digest_of(c), "", "", "", "", bool(present), version
                )
                for (i, c), (_, present, version) in state.children.items()
            },
        )

    def image(self, repo: str, name: str, kind: str, present: int, version: int) -> ImageRow:
        nothing = ("", "", "", "", "", "")
        return ImageRow(
            REGISTRY, repo, digest_of(name), bool(present), kind, *nothing, 1, None, None, NOW, NOW, version
        )

    def observation(self, seen: Any, repo: str) -> Observation:
        context = ScanContext(
            registry=REGISTRY,
            scan=seen.scan,
            kind=ScanKind.TAG if seen.kind == "tag" else ScanKind.FULL,
            connection=0,
            slot=0,
            shards=1,
            partitions=1,
            confirmed=seen.confirmed,
        )
        names = {*seen.tags.values(), *(c for i in seen.tags.values() for c in self.model.CHILDREN.get(i, ()))}
        return Observation(
            context=context,
            repository=repo,
            observed_at=NOW,
            tags={tag: digest_of(name) for tag, name in seen.tags.items()},
            failed={tag: Failure(what=tag, reason="x") for tag in seen.failed},
            gone=frozenset(seen.gone),
            complete=seen.complete,
            absent=seen.kind == "absent",
            manifests={digest_of(name): self.manifest(name, seen) for name in names},
        )

    def manifest(self, name: str, seen: Any) -> ObservedManifest:
        children = tuple(
            ObservedChild(digest=digest_of(child), platform=Platform()) for child in seen.children.get(name, ())
        )
        return ObservedManifest(
            digest=digest_of(name), kind=self.model.KIND[name], media_type="", size_bytes=1, children=children
        )

    def told(self, decision: Decision, cause: object) -> Any:
        scan, repo, rows = decision.context.scan, decision.repository, decision.rows
        told: list[Any] = [("tags", r.tag, (self.names[r.digest], int(r.present), r.version)) for r in rows.tags]
        told += [("images", self.names[r.digest], (r.kind, int(r.present), r.version)) for r in rows.images]
        told += [
            ("children", (self.names[r.index], self.names[r.child]), (None, int(r.present), r.version))
            for r in rows.children
        ]
        told += [("repositories", repo, r.full) for r in rows.repositories]
        return self.model.Decision(
            repo,
            scan,
            cause,
            decision.outcome.value,
            rows=told,
            events=[self.event(change, repo, scan) for change in decision.changes],
            full=bool(rows.repositories),
        )

    def event(self, change: Any, repo: str, scan: int) -> tuple[object, ...]:
        if change.tag is None:
            return (change.type.value, repo, self.names[change.digest], None, None, scan)
        ends = [self.names[d] if d else None for d in (change.previous, change.digest)]
        return (change.type.value, repo, change.tag, *ends, scan)


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("oracle_model", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["oracle_model"] = module
    spec.loader.exec_module(module)
    return module


def main(path: str, runs: int) -> int:
    model, bad = load(Path(path)), 0
    for fuse in (False, True):
        for mode in ("between", "during"):
            rules = replace(model.FIXED, decide=Adapter(model).decide, mode=mode, fuse=fuse)
            found = model.hunt(rules, runs)
            bad += len(found)
            told = {kind: (n, seed, text[:200]) for kind, (n, (_, seed, text)) in found.items()}
            print(f"fuse {fuse!s:5} {mode:8} {runs} runs: {told or 'holds'}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000))
