"""Images and tags that are present: filtered, sorted, a page at a time.

Asked of the tables and not of the public views: those join all that they show, and a page needs a hundred rows of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from services.console.inventory.cursor import Order
from shared.messages.connection_changed import Connection
from shared.oci.digest import Digest
from shared.store.store import Store

Row = dict[str, Any]

_TIE: Final = (("repository", "String"), ("registry", "String"), ("hex_digest", "String"))
_TAG_TIE: Final = (("repository", "String"), ("tag", "String"), ("registry", "String"))


class ImageSort(StrEnum):
    """Orders of images. A minus turns one round."""

    REPOSITORY = "repository"
    NEWEST = "-first_seen"
    OLDEST = "first_seen"
    LARGEST = "-size"
    SMALLEST = "size"
    LATEST_BUILT = "-created"
    FIRST_BUILT = "created"


_BY: Final[Mapping[str, tuple[str, str]]] = {
    "first_seen": ("toUnixTimestamp64Milli(first_seen)", "Int64"),
    "size": ("toInt64(ifNull(size_bytes, 0))", "Int64"),
    "created": ("toUnixTimestamp64Milli(ifNull(created, toDateTime64(0, 3, 'UTC')))", "Int64"),
}


@dataclass(frozen=True)
class ImageFilter:
    """None: any.  search: part of a repository's or of a tag's name, or the beginning of a digest."""

    registry: str | None = None
    repository: str | None = None
    search: str | None = None
    tag: str | None = None
    digest: str | None = None
    os: str | None = None
    architecture: str | None = None


def order_of(sort: ImageSort) -> Order:
    """Return how the rows of an order are sorted."""
    name = sort.value.removeprefix("-")
    first = (_BY[name],) if name in _BY else ()
    return Order(sort.value, (*first, *_TIE), descending=sort.value.startswith("-"))


async def images_page(
    store: Store,
    wanted: ImageFilter,
    registries: Mapping[str, Connection],
    sort: ImageSort,
    cursor: str | None,
    limit: int,
) -> tuple[list[Row], str | None]:
    """Return rows and the cursor of the next page.  registries: by id, those that are connected."""
    order = order_of(sort)
    where, parameters = _conditions(wanted, registries)
    after, more = order.after(cursor)
    rows = await store.query(
        f"""
        SELECT registry, repository, lower(hex(digest)) AS hex_digest, media_type, os, architecture, variant,
            os_version, size_bytes, created, first_seen, {order.key} AS sort_key
        FROM images FINAL
        WHERE present AND kind = 'image' AND {where} AND {after}
        ORDER BY {order.clause} LIMIT {limit + 1}
        """,
        {**parameters, **more},
    )
    page, following = _cut(rows, order, limit)
    tags = await _tags_of(store, page)
    for row in page:
        row["tags"] = tags.get((row["registry"], row["repository"], row["hex_digest"]), [])
    return page, following


async def count_images(store: Store, wanted: ImageFilter, registries: Mapping[str, Connection]) -> int:
    """Return how many images fit."""
    where, parameters = _conditions(wanted, registries)
    sql = (
        "SELECT count() AS found FROM (SELECT *, lower(hex(digest)) AS hex_digest FROM images FINAL) "
        f"WHERE present AND kind = 'image' AND {where}"
    )
    return int((await store.query(sql, parameters))[0]["found"])


async def tags_page(
    store: Store, wanted: ImageFilter, registries: Mapping[str, Connection], cursor: str | None, limit: int
) -> tuple[list[Row], str | None]:
    """Return the tags that fit, by repository, and the cursor of the next page. `tag` is part of a name here."""
    order = Order("repository", _TAG_TIE)
    after, more = order.after(cursor)
    conditions = ["registry IN {registries:Array(String)}"]
    parameters: dict[str, Any] = {"registries": list(registries)}
    for name, sql in (
        ("repository", "repository = {repository:String}"),
        ("tag", "positionCaseInsensitiveUTF8(tag, {tag:String}) > 0"),
        ("search", "positionCaseInsensitiveUTF8(concat(repository, ':', tag), {search:String}) > 0"),
        ("digest", "startsWith(lower(hex(digest)), {digest:String})"),
    ):
        if value := getattr(wanted, name):
            conditions.append(sql)
            parameters[name] = _hex(value) if name == "digest" else value
    rows = await store.query(
        f"""
        SELECT registry, repository, tag, lower(hex(digest)) AS hex_digest, changed_at, {order.key} AS sort_key
        FROM tags FINAL
        WHERE present AND {" AND ".join(conditions)} AND {after}
        ORDER BY {order.clause} LIMIT {limit + 1}
        """,
        {**parameters, **more},
    )
    page, following = _cut(rows, order, limit)
    kinds = await _kinds_of(store, page)
    for row in page:
        row["kind"] = kinds.get((row["registry"], row["repository"], row["hex_digest"]), "")
    return page, following


def _conditions(wanted: ImageFilter, registries: Mapping[str, Connection]) -> tuple[str, dict[str, Any]]:
    conditions = ["registry IN {registries:Array(String)}"]
    parameters: dict[str, Any] = {"registries": list(registries)}
    exact = {"repository": wanted.repository, "os": wanted.os, "architecture": wanted.architecture}
    for name, value in exact.items():
        if value:
            conditions.append(f"{name} = {{{name}:String}}")
            parameters[name] = value
    if wanted.digest:
        conditions.append(_digest_condition(wanted.digest, parameters))
    if wanted.tag:
        conditions.append(_tagged("tag = {tag:String}"))
        parameters["tag"] = wanted.tag
    if wanted.search:
        parameters["search"] = wanted.search
        parameters["searched_digest"] = _hex(wanted.search)
        is_in_tag = _tagged("positionCaseInsensitiveUTF8(tag, {search:String}) > 0")
        starts = " OR startsWith(lower(hex(digest)), {searched_digest:String})" if _is_hex(wanted.search) else ""
        conditions.append(f"(positionCaseInsensitiveUTF8(repository, {{search:String}}) > 0 OR {is_in_tag}{starts})")
    return " AND ".join(conditions), parameters


def _digest_condition(digest: str, parameters: dict[str, Any]) -> str:
    parameters["digest"] = _hex(digest)
    if len(_hex(digest)) == 64:  # whole: the table's index finds it
        return "digest = toFixedString(unhex({digest:String}), 32)"
    return "startsWith(lower(hex(digest)), {digest:String})"


def _tagged(condition: str) -> str:
    """Return the condition that a tag which fits reaches the image, straight or through an index."""
    tags = f"SELECT registry, repository, digest FROM tags FINAL WHERE present AND {condition}"
    children = (
        "SELECT registry, repository, child FROM index_children FINAL "
        f"WHERE present AND (registry, repository, `index`) IN ({tags})"
    )
    return f"(registry, repository, digest) IN ({tags} UNION ALL {children})"


def _hex(digest: str) -> str:
    return digest.lower().removeprefix("sha256:")


def _is_hex(text: str) -> bool:
    return len(_hex(text)) >= 4 and all(letter in "0123456789abcdef" for letter in _hex(text))


def _cut(rows: list[Row], order: Order, limit: int) -> tuple[list[Row], str | None]:
    """Return the page's rows, and the cursor of the next where there is one."""
    page = rows[:limit]
    following = order.cursor(page[-1]["sort_key"]) if len(rows) > limit else None
    return page, following


async def _tags_of(store: Store, page: list[Row]) -> dict[tuple[str, str, str], list[str]]:
    """Return the tags that reach each image of a page."""
    if not page:
        return {}
    repositories = sorted({(row["registry"], row["repository"]) for row in page})
    rows = await store.query(
        """
        WITH
            tagged AS (
                SELECT registry, repository, tag, digest FROM tags FINAL
                WHERE present AND (registry, repository) IN {repositories:Array(Tuple(String, String))}
            ),
            members AS (
                SELECT registry, repository, `index`, child FROM index_children FINAL
                WHERE present AND (registry, repository) IN {repositories:Array(Tuple(String, String))}
            )
        SELECT registry, repository, lower(hex(digest)) AS hex_digest, arraySort(groupUniqArray(100)(tag)) AS tags
        FROM (
            SELECT registry, repository, tag, digest FROM tagged
            UNION ALL
            SELECT m.registry, m.repository, t.tag, m.child FROM members AS m
            INNER JOIN tagged AS t
                ON m.registry = t.registry AND m.repository = t.repository AND m.`index` = t.digest
        )
        WHERE hex_digest IN {digests:Array(String)}
        GROUP BY registry, repository, digest
        """,
        {"repositories": repositories, "digests": sorted({row["hex_digest"] for row in page})},
    )
    return {(row["registry"], row["repository"], row["hex_digest"]): list(row["tags"]) for row in rows}


async def _kinds_of(store: Store, page: list[Row]) -> dict[tuple[str, str, str], str]:
    if not page:
        return {}
    keys = sorted({(row["registry"], row["repository"]) for row in page})
    rows = await store.query(
        """
        SELECT registry, repository, lower(hex(digest)) AS hex_digest, kind FROM images FINAL
        WHERE (registry, repository) IN {keys:Array(Tuple(String, String))} AND hex_digest IN {digests:Array(String)}
        """,
        {"keys": keys, "digests": sorted({row["hex_digest"] for row in page})},
    )
    return {(row["registry"], row["repository"], row["hex_digest"]): row["kind"] for row in rows}


def whole(hex_digest: str) -> str:
    """Return a digest as everybody writes it."""
    return str(Digest("sha256:" + hex_digest))
