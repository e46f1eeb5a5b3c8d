"""What an estate must look like to a user: the rows of the public views, and the events between two looks."""

from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Final

from shared.oci.digest import Digest
from tests.support.generator import Estate
from tests.support.generator_content import Made

Row = dict[str, Any]

TIMES: Final = frozenset({"first_seen", "last_seen", "observed_at"})
"""Columns that tell when Tallyman looked; the truth knows nothing of that."""


@dataclass(frozen=True)
class Told:
    """An event, without what differs from run to run."""

    type: str
    subject: str
    before: str | None = None
    after: str | None = None
    tags: tuple[str, ...] = ()


def image_rows(estate: Estate, registry: str, *earlier: Estate) -> list[Row]:
    """Return the rows of `current_images`, times left out, by repository and digest.

    earlier: looks before; what was read of an image then is still known.
    """
    return [
        {
            "registry": registry,
            "repository": repository,
            "digest": str(digest),
            "media_type": estate.manifests[digest].media_type,
            **platform_object(estate.manifests[digest]),
            "size_bytes": estate.manifests[digest].size_bytes if digest in read else None,
            "created": _time(estate.manifests[digest]) if digest in read else None,
            "tags": sorted(tags),
        }
        for repository, read in _ever_read(estate, *earlier)
        for digest, tags in sorted(estate.of_kind("image", repository).items())
    ]


def artifact_rows(estate: Estate, registry: str, *earlier: Estate) -> list[Row]:
    """Return the rows of `current_artifacts`, times left out, by repository and digest; `earlier` as of images."""
    return [
        {
            "registry": registry,
            "repository": repository,
            "digest": str(digest),
            "media_type": estate.manifests[digest].media_type,
            "artifact_type": estate.manifests[digest].artifact_type,
            "size_bytes": estate.manifests[digest].size_bytes if digest in read else None,
            "created": None,
            "tags": sorted(tags),
        }
        for repository, read in _ever_read(estate, *earlier)
        for digest, tags in sorted(estate.of_kind("artifact", repository).items())
    ]


def tag_rows(estate: Estate, registry: str) -> list[Row]:
    """Return the rows of `current_tags`, times left out, by repository and tag."""
    return [
        {
            "registry": registry,
            "repository": repository,
            "tag": tag,
            "digest": str(digest),
            "kind": estate.manifests[digest].kind,
            "platforms": _platforms(estate, digest),
        }
        for repository, tags in sorted(estate.repositories.items())
        for tag, digest in sorted(tags.items())
    ]


def counts(estate: Estate) -> Row:
    """Return the numbers that a complete load of the estate tells."""
    return {
        "repositories": len(estate.repositories),
        "tags": estate.tag_count,
        "images": sum(len(estate.of_kind("image", repository)) for repository in estate.repositories),
        "artifacts": sum(len(estate.of_kind("artifact", repository)) for repository in estate.repositories),
        "failed": 0,
    }


def snapshot(estate: Estate) -> Estate:
    """Return the estate as it is now, however it goes on."""
    return Estate(deepcopy(estate.repositories), estate.contents)


def changes(before: Estate, after: Estate, ever: Iterable[Estate] = ()) -> list[Told]:
    """Return the events that lead from one look to the next, in no order.

    ever: looks before `before`; an image that was in one of them and comes again has reappeared.
    """
    return [
        told
        for repository in sorted(before.repositories.keys() | after.repositories.keys())
        for told in (
            *_tag_changes(repository, *(look.repositories.get(repository, {}) for look in (before, after))),
            *_image_changes(repository, _images(before, repository), _images(after, repository), tuple(ever)),
        )
    ]


def discovered(events: Iterable[Told]) -> int:
    """Return how many images are new, or there again."""
    return sum(event.type in {"image.discovered", "image.reappeared"} for event in events)


def removed(events: Iterable[Told]) -> int:
    """Return how many images are gone."""
    return sum(event.type == "image.removed" for event in events)


def platform_object(made: Made) -> Row:
    """Return the platform as the views show it."""
    assert made.platform is not None
    return made.platform.model_dump()


def _ever_read(*looks: Estate) -> Iterator[tuple[str, set[Digest]]]:
    """Yield each repository of the first look with the manifests of it that were read for themselves in any."""
    for repository in sorted(looks[0].repositories):
        yield repository, {digest for look in looks for digest in _read(look, repository)}


def _read(estate: Estate, repository: str) -> Iterator[Digest]:
    """Yield what is read for itself: what tags point to, and images of which an index tells no platform."""
    yield from estate.repositories.get(repository, {}).values()
    for digest in estate.of_kind("index", repository) if repository in estate.repositories else ():
        for child in estate.manifests[digest].children:
            if child.platform is None and estate.manifests[child.digest].kind == "image":
                yield child.digest


def _platforms(estate: Estate, digest: Digest) -> list[Row]:
    """Return the platforms that a tag of this manifest offers, sorted, each once."""
    family = (estate.manifests[member] for member in estate.family(digest))
    found = {tuple(platform_object(made).items()) for made in family if made.kind == "image"}
    return [dict(platform) for platform in sorted(found)]


def _time(made: Made) -> str | None:
    return made.created.isoformat().replace("+00:00", "Z") if made.created else None


def _tag_changes(repository: str, before: Mapping[str, Digest], after: Mapping[str, Digest]) -> Iterable[Told]:
    for tag in before.keys() | after.keys():
        old, new = before.get(tag), after.get(tag)
        if old != new:
            kind = "tag.moved" if old and new else "tag.created" if new else "tag.removed"
            yield Told(kind, f"{repository}:{tag}", old, new)


def _image_changes(
    repository: str,
    before: Mapping[Digest, frozenset[str]],
    after: Mapping[Digest, frozenset[str]],
    ever: tuple[Estate, ...],
) -> Iterable[Told]:
    for digest in before.keys() - after.keys():
        yield Told("image.removed", f"{repository}@{digest}")
    for digest in after.keys() - before.keys():
        known = any(digest in _images(look, repository) for look in ever)
        kind = "image.reappeared" if known else "image.discovered"
        yield Told(kind, f"{repository}@{digest}", tags=tuple(sorted(after[digest])))


def _images(estate: Estate, repository: str) -> Mapping[Digest, frozenset[str]]:
    return estate.of_kind("image", repository) if repository in estate.repositories else {}
