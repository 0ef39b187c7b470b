"""Charts: scales, ticks, numbers."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from einbatch.report.charts import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, draw, show
from einbatch.report.curve import Curve


def curve_of(values: list[float], first: int = 1) -> Curve:
    curve = Curve()
    for step, value in enumerate(values, first):
        curve.add(step, value)
    return curve


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1797, "1\u202f797"),
        (-2.0, "−2"),
        (0.123456, "0.1235"),
        (1e-7, "1e-7"),
        (2.5e12, "2.5e12"),
        (-1e-9, "−1e−9"),
        (math.inf, "inf"),
        (math.nan, "nan"),
        (10**30, "1e30"),
    ],
)
def test_numbers_have_the_digits_that_matter(value: float, text: str) -> None:
    assert show(value) == text.replace("e-", "e−")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_any_curve_stays_in_its_frame(values: list[float]) -> None:
    chart = draw("loss", {"training": ("train", curve_of(values))})
    assert chart is not None
    (line,) = chart.lines
    numbers = [float(text) for text in re.findall(r"-?[\d.]+", line.path.removesuffix("h0"))]
    assert all(LEFT <= x <= WIDTH - RIGHT for x in numbers[::2])
    assert all(TOP <= y <= HEIGHT - BOTTOM for y in numbers[1::2])
    for place, _ in chart.y.ticks:
        assert TOP <= place <= HEIGHT - BOTTOM
    for place, _ in chart.x.ticks:
        assert LEFT <= place <= WIDTH - RIGHT
    assert 1 <= len(chart.y.ticks) <= 12
    assert len(line.values) == len(values)


def test_values_over_decades_are_logarithmic() -> None:
    chart = draw("loss", {"training": ("train", curve_of([2.3, 0.5, 0.01]))})
    assert chart is not None
    assert chart.y.logarithmic
    assert [label for _, label in chart.y.ticks] == ["0.01", "0.1", "1"]
    assert "on a logarithmic scale" in chart.description


def test_parts_of_one_start_at_nought() -> None:
    chart = draw("accuracy", {"training": ("train", curve_of([0.1, 0.9, 1.0]))})
    assert chart is not None
    assert [label for _, label in chart.y.ticks] == ["0", "0.25", "0.5", "0.75", "1"]


def test_there_is_no_chart_of_nothing() -> None:
    assert draw("loss", {"training": ("train", Curve())}) is None
