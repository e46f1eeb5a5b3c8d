"""A cursor is of one list in one order, and whatever else comes is refused."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.inventory.cursor import CursorInvalid, Order
from services.console.inventory.images import ImageSort, order_of

ORDER = Order("-size", (("size", "Int64"), ("name", "String")), descending=True)


def packed(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")


def test_a_cursor_asks_for_what_comes_after_its_row() -> None:
    where, parameters = ORDER.after(ORDER.cursor((7, "a/b")))
    assert where == "(size, name) < ({after0:Int64}, {after1:String})"
    assert parameters == {"after0": 7, "after1": "a/b"}
    assert ORDER.after(None) == ("true", {})
    assert ORDER.clause == "size DESC, name DESC"


@pytest.mark.parametrize(
    "content",
    [
        *(["size", 7, "a"], ["-size", 7], ["-size", "7", "a"], ["-size", True, "a"], ["-size", 2**63, "a"]),
        *(["-size", 7, "\n"], {}, 7, None, [], ["-size", 7, 8], [["-size"], 7, "a"]),
    ],
)
def test_a_cursor_of_another_list_or_order_is_refused(content: object) -> None:
    with pytest.raises(CursorInvalid):
        ORDER.after(packed(content))


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(CursorInvalid):
        ORDER.after(text)


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.text().filter(str.isprintable))
def test_a_cursor_of_any_row_is_read(size: int, name: str) -> None:
    _, parameters = ORDER.after(ORDER.cursor((size, name)))
    assert parameters == {"after0": size, "after1": name}


@pytest.mark.parametrize("sort", ImageSort)
def test_every_order_of_images_ends_with_what_tells_rows_apart(sort: ImageSort) -> None:
    order = order_of(sort)
    assert [name for name, _ in order.columns][-3:] == ["repository", "registry", "hex_digest"]
    assert order.descending == sort.value.startswith("-")
