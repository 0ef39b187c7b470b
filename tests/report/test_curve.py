"""Curves stay small however long they get, and say the truth."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from einbatch.report.curve import MOST, Curve

VALUES = st.lists(st.floats(-1e300, 1e300), min_size=1, max_size=3000)


@given(VALUES)
def test_points_are_means_of_neighbours(values: list[float]) -> None:
    curve = Curve()
    for step, value in enumerate(values):
        curve.add(step, value)
    assert len(curve.points) <= MOST
    assert sum(point.weight for point in curve.points) == len(values)
    start = 0
    for point in curve.points:
        part = values[start : start + point.weight]
        start += point.weight
        assert point.x == start - 1
        assert (point.low, point.high) == (min(part), max(part))
        scale = max(map(abs, part)) or 1.0
        mean = math.fsum(value / len(part) for value in part)
        assert math.isclose(point.y, mean, rel_tol=1e-9, abs_tol=1e-9 * scale)
    assert curve.is_mean == any(point.weight > 1 for point in curve.points)


def test_many_values_are_a_few_hundred_points() -> None:
    curve = Curve()
    for step in range(200_000):
        curve.add(step, step % 7)
    assert MOST / 2 <= len(curve.points) <= MOST
    assert {(point.low, point.high) for point in curve.points} == {(0, 6)}


def test_what_is_no_number_is_left_out() -> None:
    curve = Curve()
    for value in (math.nan, math.inf, -math.inf):
        curve.add(1, value)
    assert curve.points == []


def test_a_resumed_run_forgets_what_it_does_again() -> None:
    curve = Curve()
    for step in range(10):
        curve.add(step, step)
    curve.forget_after(4)
    assert [point.x for point in curve.points] == [0, 1, 2, 3, 4]
