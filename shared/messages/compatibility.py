"""What may change in a public schema within a version: optional fields come; nothing else. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

_WORDS: Final = frozenset({"title", "description", "$schema"})
"""For people: these may change."""


def incompatibilities(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each way in which a consumer of the old schema could fail on a record of the new one."""
    return list(_differences(old, new, "the document"))


def _differences(old: Any, new: Any, where: str) -> Iterator[str]:
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        if old != new:
            yield f"{where}: {old!r} became {new!r}"
        return
    if "properties" in old and "properties" in new:
        yield from _fields(old, new, where)
    for key in sorted(old.keys() | new.keys()):
        if key in _WORDS or key in ("properties", "required"):
            continue
        if key == "$defs":
            yield from _parts(old.get(key, {}), new.get(key, {}), where)
        elif key not in new or key not in old:
            yield f"{where}: {key} {'went' if key in old else 'came'}"
        else:
            yield from _differences(old[key], new[key], f"{where}, {key}")


def _fields(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    for name in sorted(old["properties"].keys() - new["properties"].keys()):
        yield f"{where}: the field {name} went"
    for name in sorted(set(old.get("required", ())) - set(new.get("required", ()))):
        yield f"{where}: the field {name} may be missing now"
    for name in sorted((set(new.get("required", ())) - set(old.get("required", ()))) & old["properties"].keys()):
        yield f"{where}: the field {name} must be there now"
    for name in sorted(set(new.get("required", ())) - old["properties"].keys()):
        yield f"{where}: the new field {name} is required; records of before do not have it"
    for name, field in sorted(old["properties"].items()):
        if name in new["properties"]:
            yield from _differences(field, new["properties"][name], f"{where}, {name}")


def _parts(old: Mapping[str, Any], new: Mapping[str, Any], where: str) -> Iterator[str]:
    for name in sorted(old.keys() & new.keys()):
        yield from _differences(old[name], new[name], f"{where}, {name}")
