"""The statements behind `tallyman images`, `tags` and `scans`. Pure."""

from typing import Final

VIEWS: Final = {"images": "current_images", "tags": "current_tags", "artifacts": "current_artifacts", "scans": "scans"}


def statement(
    view: str,
    *,
    registry: str | None = None,
    repository: str | None = None,
    architecture: str | None = None,
    order: tuple[str, ...],
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
    return f"SELECT * FROM {view}{condition} ORDER BY {', '.join(order)}"


def quoted(text: str) -> str:
    """Return `text` as a ClickHouse string literal."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _like(glob: str) -> str:
    escaped = glob.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")
