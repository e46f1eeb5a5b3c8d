"""The statements behind `tallyman images`, `tags` and `scans`. Pure."""

from typing import Final

VIEWS: Final = {"images": "current_images", "tags": "current_tags", "artifacts": "current_artifacts", "scans": "scans"}

_PLATFORM: Final = "arrayStringConcat(arrayFilter(p -> p != '', [os, architecture, variant]), '/') AS platform"
TABLE_COLUMNS: Final = {
    "images": f"registry, repository, digest, {_PLATFORM}, formatReadableSize(size_bytes) AS size, tags",
    "tags": "registry, repository, tag, digest, kind, platforms",
    "artifacts": "registry, repository, digest, artifact_type, tags",
    "scans": "scan_id AS scan, registry, status, formatDateTime(started_at, '%F %T') AS started, repositories, tags, "
    "images, discovered, removed, failed, requests",
}
"""What a table on a terminal has room for; jsonl and csv have all columns."""


def statement(
    view: str,
    *,
    registry: str | None = None,
    repository: str | None = None,
    architecture: str | None = None,
    order: tuple[str, ...],
    columns: str = "*",
) -> str:
    """Return the SELECT of a public view's rows.

    repository: a glob; `*` stands for any characters, `?` for one.
    architecture: of an image, or of any platform of a tag.
    """
    where = []
    if registry is not None:
        where.append(f"registry = {quoted(registry)}")
    if repository is not None:
        where.append(f"repository LIKE {quoted(_like(repository))}")
    if architecture is not None and view == "current_tags":
        where.append(f"arrayExists(p -> p.architecture = {quoted(architecture)}, platforms)")
    elif architecture is not None:
        where.append(f"architecture = {quoted(architecture)}")
    condition = f" WHERE {' AND '.join(where)}" if where else ""
    return f"SELECT {columns} FROM {view}{condition} ORDER BY {', '.join(order)}"


def quoted(text: str) -> str:
    """Return `text` as a ClickHouse string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _like(glob: str) -> str:
    escaped = glob.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")
