"""What the webhooks of registries point to. Pure; each shape is known by its own signs, and all of it is hostile.

Source: distribution notifications/event.go; Harbor, Nexus, JFrog, Quay, Docker Hub and ACR webhook documentation.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from shared.errors import PermanentError
from shared.messages.model import Name
from shared.oci.media_types import MANIFESTS, SCHEMA1_MANIFESTS, bare

REASON_UNREADABLE: Final = "hook_unreadable"

Target = tuple[str, str | None]
"""A repository, and the one tag of it that is meant; None: all of it."""

_MOST: Final = 500
"""More targets than a registry puts into one hook; the rest is for the next sweep."""
_NAME: Final = TypeAdapter[str](Name)
_DIGEST: Final = "sha256:"
_MANIFESTS: Final = frozenset((*MANIFESTS, *SCHEMA1_MANIFESTS))


def targets_of(body: bytes) -> list[Target]:
    """Return what a hook points to, each once; empty where it tells of something else (a pull, another format).

    Raises PermanentError (reason `hook_unreadable`) for what is no hook of a registry that is known.
    """
    try:
        document = from_json(body)
    except ValueError as error:
        raise _unreadable("its body is no JSON") from error
    if not isinstance(document, dict):
        raise _unreadable("its body is no JSON object")
    for is_of, read in _SHAPES:
        if is_of(document):
            return list(dict.fromkeys(_checked(read(document))))[:_MOST]
    raise _unreadable("it is of no registry that is known")


def _unreadable(why: str) -> PermanentError:
    return PermanentError(
        f"The webhook cannot be read: {why}. Send those of Distribution, Harbor, Nexus, Artifactory, GitLab's "
        "registry, Quay, Docker Hub or ACR, as JSON.",
        reason=REASON_UNREADABLE,
    )


def _checked(found: Iterator[tuple[Any, Any]]) -> Iterator[Target]:
    """Yield the targets whose names are names. A digest in a tag's place is of a member, which its index tells."""
    for repository, tag in found:
        try:
            name = _NAME.validate_python(repository, strict=True)
            if tag is None or tag == "":
                yield name, None
            elif not str(tag).startswith(_DIGEST):
                yield name, _NAME.validate_python(tag, strict=True)
        except ValidationError:
            continue


def _at(document: Any, *path: str) -> Any:
    """Return what lies at a path of objects, None where the path ends."""
    for name in path:
        document = document.get(name) if isinstance(document, Mapping) else None
    return document


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _distribution(document: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    for event in _each(document["events"]):
        yield from _distribution_event(event)


def _distribution_event(event: Any) -> Iterator[tuple[Any, Any]]:
    """Of a push by digest a tag is told beside; a deletion without a tag may have been of any; GitLab renames, too."""
    action, target = _at(event, "action"), _at(event, "target")
    repository, tag = _at(target, "repository"), _at(target, "tag")
    media_type = _at(target, "mediaType")
    if action == "rename":
        yield _at(target, "rename", "from"), None
        yield _at(target, "rename", "to"), None
    elif action in ("push", "mount"):
        if tag and not _is_of_blob(media_type):
            yield repository, tag
    elif action == "delete" and not _is_of_blob(media_type):
        yield repository, tag


def _is_of_blob(media_type: Any) -> bool:
    """Return whether an event is of a blob. Deletions tell no media type."""
    return bool(media_type) and bare(str(media_type)) not in _MANIFESTS


def _harbor(document: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    kind = str(document.get("type", "")).lower()
    data = document.get("event_data") or document.get("data")
    if "push" not in kind and "delete" not in kind:
        return
    repository = _at(data, "repository", "repo_full_name")
    for resource in _each(_at(data, "resources")):
        yield repository, None if "delete" in kind else _at(resource, "tag")


def _nexus(document: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """A purge names no component that could be asked for: the next sweep finds it."""
    if _at(document, "component", "format") == "docker":
        image = _at(document, "component", "name")
        yield f"{document['repositoryName']}/{image}" if image else None, _at(document, "component", "version")


def _artifactory(document: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    data = document["data"] if isinstance(document.get("data"), Mapping) else document
    if document.get("event_type") in ("pushed", "deleted", "promoted"):
        image = _at(data, "image_name")
        yield f"{_at(data, 'repo_key')}/{image}" if image else None, _at(data, "tag")


def _quay(document: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    tags = _each(document["updated_tags"])
    for tag in tags or [None]:
        yield document.get("repository"), tag


def _docker_hub(document: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    yield _at(document, "repository", "repo_name"), _at(document, "push_data", "tag")


def _is_harbor(document: Mapping[str, Any]) -> bool:
    return "event_data" in document or str(document.get("type", "")).startswith("harbor.")


_SHAPES: Final[
    tuple[
        tuple[Callable[[Mapping[str, Any]], bool], Callable[[Mapping[str, Any]], Iterator[tuple[Any, Any]]]],
        ...,
    ]
] = (
    (lambda document: isinstance(document.get("events"), list), _distribution),
    (_is_harbor, _harbor),
    (lambda document: "repositoryName" in document and "action" in document, _nexus),
    (lambda document: document.get("domain") == "docker", _artifactory),
    (lambda document: "updated_tags" in document, _quay),
    (lambda document: "push_data" in document, _docker_hub),
    (lambda document: "action" in document and "target" in document, _distribution_event),  # ACR: one event, bare
)
