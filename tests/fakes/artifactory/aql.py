"""As much of the Artifactory Query Language as a lister of manifests asks for; the rest is refused.

Source: JFrog, Artifactory Query Language: the order of the chain is fixed; who is no administrator has to include repo,
path and name; `range.total` is the number of items returned.
"""

import json
import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

_QUESTION = re.compile(
    r"items\.find\((?P<find>\{.*\})\)\.include\((?P<include>[^)]*)\)"
    r"(\.sort\((?P<sort>\{.*?\})\))?(\.offset\((?P<offset>\d+)\))?(\.limit\((?P<limit>\d+)\))?"
)
FIELDS = {"repo", "path", "name", "sha256", "size", "created", "modified", "updated", "property"}
MOST_ITEMS = 10_000


class Refused(Exception):
    """The question is none that the server takes."""


@dataclass(frozen=True)
class Question:
    """find: what is sought.  fields: of each item.  order: fields to sort by."""

    find: dict[str, Any]
    fields: list[str]
    order: list[str]
    offset: int
    limit: int

    @classmethod
    def parse(cls, text: str) -> "Question":
        match = _QUESTION.fullmatch(text)
        if match is None:
            raise Refused("Fail to parse query")
        fields = json.loads(f"[{match['include']}]")
        if not {"repo", "path", "name"} <= set(fields) <= FIELDS:
            raise Refused("For permissions reasons AQL demands the following fields: repo, path and name.")
        find = json.loads(match["find"])
        if find.keys() - {"repo", "$or", "$and"} or not isinstance(find.get("repo"), str):
            raise Refused("sort without a repo filter, or a field not known here")
        order = json.loads(match["sort"])["$asc"] if match["sort"] else []
        limit = int(match["limit"] or MOST_ITEMS)
        if limit > MOST_ITEMS:
            raise Refused("limit is too large")
        return cls(find, fields, order, int(match["offset"] or 0), limit)

    def answer(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        found = [item for item in items if self._matches(item)]
        found.sort(key=lambda item: [item[name] for name in self.order])
        page = [{name: item[name] for name in self.fields} for item in found[self.offset : self.offset + self.limit]]
        total = len(page)
        return {"results": page, "range": {"start_pos": self.offset, "end_pos": self.offset + total, "total": total}}

    def _matches(self, item: dict[str, Any]) -> bool:
        either = self.find.get("$or", [{}])
        every = self.find.get("$and", [])
        return (
            item["repo"] == self.find["repo"]
            and any(_fits(item, each) for each in either)
            and all(_fits(item, each) for each in every)
        )


def _fits(item: dict[str, Any], condition: dict[str, Any]) -> bool:
    for name, wanted in condition.items():
        if isinstance(wanted, str):
            fits = item[name] == wanted
        elif wanted.keys() == {"$match"}:
            fits = fnmatchcase(item[name], wanted["$match"])
        elif wanted.keys() == {"$nmatch"}:
            fits = not fnmatchcase(item[name], wanted["$nmatch"])
        else:
            raise Refused(f"{wanted} is not known here")
        if not fits:
            return False
    return True
