"""Drawings: numbers in, points within the picture out."""

import re
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.console.pages.charts import HEIGHT, WIDTH, bars_of, growth_of

FIRST = date(2026, 11, 1)


@given(st.lists(st.integers(0, 10**7), min_size=2, max_size=40))
def test_every_point_lies_within_the_picture(numbers: list[int]) -> None:
    drawn = growth_of([(FIRST + timedelta(days=day), number) for day, number in enumerate(numbers)])
    points = [tuple(map(float, pair.split(","))) for pair in re.findall(r"[\d.]+,[\d.]+", drawn.line)]
    assert len(points) == len(numbers)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in points)
    assert f"{numbers[-1]:,} on" in drawn.told


@pytest.mark.parametrize(("most", "top"), [(0, "4"), (3, "4"), (360, "360"), (361, "380"), (99_999, "100,000")])
def test_the_scale_ends_at_a_round_number(most: int, top: str) -> None:
    assert growth_of([(FIRST, 0), (FIRST + timedelta(days=1), most)]).rows[-1][1] == top


def test_what_is_beyond_the_largest_is_one_bar() -> None:
    bars = bars_of([(f"a{number}", 10 - number) for number in range(10)], most_shown=8)
    assert [bar.label for bar in bars][-1] == "others"
    assert (bars[0].share, bars[-1].number) == (100.0, 3)
    assert bars_of([]) == ()
