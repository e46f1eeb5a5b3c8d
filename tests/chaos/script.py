"""What happens in the registry: tags are pushed, moved and deleted, repositories come and go. The truth is known."""

import time
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random
from typing import Any

from shared.oci.digest import Digest
from tests.e2e import truth
from tests.support.generator import Estate, generate
from tests.support.generator_storage import Storage

_TAGS = 110
_REPOSITORIES = 14
_SIGNATURE = "sha256-"
"""Tags by which signatures and SBOMs are found: what they point to is no image, whatever it looks like."""

_MOST_REMOVED = 12
"""Fewer than a fuse minds."""


@dataclass(frozen=True)
class Happened:
    """A tag was pointed to a digest, or taken away (None).  at: monotonic seconds."""

    at: float
    repository: str
    tag: str
    digest: Digest | None

    def line(self) -> dict[str, Any]:
        return {"at": self.at, "repository": self.repository, "tag": self.tag, "digest": self.digest}


@dataclass
class Script:
    """The registry's content and its changes.  looks: the content at the end of each round so far."""

    random: Random
    storage: Storage
    estate: Estate
    looks: list[Estate] = field(default_factory=list)
    _number: int = 0

    @classmethod
    def begun(cls, seed: int, storage: Storage) -> "Script":
        """Return a script with a first content, written to the storage."""
        estate = generate(seed=seed, repositories=_REPOSITORIES, tags=_TAGS)
        storage.write(estate)
        return cls(Random(seed), storage, estate, [Estate({}, estate.contents)])

    def change(self, most: int) -> Iterator[Happened]:
        """Change some tags, each at most once, and yield each change once it is done."""
        taken: set[tuple[str, str]] = set()
        removed = 0
        for _ in range(most):
            repository = self.random.choice(sorted(self.estate.repositories))
            tags = [tag for tag in sorted(self.estate.repositories[repository]) if not tag.startswith(_SIGNATURE)]
            what = self.random.choice(("push", "push", "move", "move", "point", "delete"))
            tag = self.random.choice(tags) if tags and what != "push" else self._new_tag()
            if (repository, tag) in taken:
                continue
            taken.add((repository, tag))
            if what == "delete" and tags and removed < _MOST_REMOVED:
                removed += 1
                self.estate.delete_tag(repository, tag)
                self.storage.delete_tag(repository, tag)
                yield Happened(time.monotonic(), repository, tag, None)
                continue
            digest = self._digest(repository, what)
            if self.estate.repositories[repository].get(tag) == digest:
                continue
            self.estate.move_tag(repository, tag, digest)
            self.storage.put_tag(self.estate, repository, tag)
            yield Happened(time.monotonic(), repository, tag, digest)

    def end_round(self) -> tuple[list[truth.Told], Estate]:
        """Return what the changes since the last round's end amount to, and the content now."""
        now = truth.snapshot(self.estate)
        told = truth.changes(self.looks[-1], now, self.looks[:-1])
        self.looks.append(now)
        return told, now

    def states(self) -> dict[tuple[str, str], Digest]:
        """Return where each tag points now."""
        return {
            (repository, tag): digest
            for repository, tags in deepcopy(self.estate.repositories).items()
            for tag, digest in tags.items()
        }

    def _new_tag(self) -> str:
        self._number += 1
        return f"pushed-{self._number}"

    def _digest(self, repository: str, what: str) -> Digest:
        """Return what a tag is pointed to: something new, or something that is, or was, there."""
        if what == "point":
            earlier = [d for look in self.looks for d in look.repositories.get(repository, {}).values()]
            if earlier:
                return self.random.choice(sorted(set(earlier)))
        return self.estate.new_image(repository)
