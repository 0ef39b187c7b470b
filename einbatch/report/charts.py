"""Curves as paths of an SVG: scales, round ticks, and the numbers that a reader asks for."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from einbatch.report.curve import Curve, Point

WIDTH, HEIGHT = 560, 300
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 14, 44
DECADES = 1.5
"""Values that span more powers of ten than this are shown on a logarithmic scale."""
MARKED = 40
"""The most points of a curve that each get a mark of their own."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Values to places in the drawing, and the ticks with their labels."""

    low: float
    high: float
    start: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        low, high, at = self._along(self.low), self._along(self.high), self._along(value)
        return self.start + (at - low) / (high - low) * (self.end - self.start)

    def _along(self, value: float) -> float:
        # half of it: the range of two doubles need not be a double
        return math.log10(value) if self.logarithmic else value / 2

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Place and label of each tick."""
        values = _decades(self.low, self.high) if self.logarithmic else _round(self.low, self.high)
        return [(round(self(value), 1), show(value)) for value in values]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve as it is drawn; `values` are its points: step, value, step's place, value's place."""

    name: str
    kind: str
    path: str
    band: str
    marks: Sequence[tuple[float, float, str]]
    values: Sequence[tuple[float, float, float, float]]
    last: str


@dataclass(frozen=True, slots=True)
class Chart:
    """A quantity over the steps of a run."""

    name: str
    lines: Sequence[Line]
    x: Scale
    y: Scale
    description: str


def draw(
    name: str, curves: Mapping[str, tuple[str, Curve]], *, marked: bool = True
) -> Chart | None:
    """The chart of curves, each with its kind and under its name; None where all are empty.

    Where `marked`, the points of short curves of epochs get marks.
    """
    shown = {title: pair for title, pair in curves.items() if pair[1].points}
    points = [point for _, curve in shown.values() for point in curve.points]
    if not points:
        return None
    last = max(point.x for point in points)
    first = min(point.x for point in points)
    x = Scale(*_apart(min(first, 0) if first <= last / 20 else first, last), LEFT, WIDTH - RIGHT)
    y = _y_scale(points)
    lines = [
        _line(title, kind, curve, x, y, marked and kind != "steps")
        for title, (kind, curve) in shown.items()
    ]
    ends = ", ".join(f"{line.name} {line.last}" for line in lines)
    scale = ", on a logarithmic scale" if y.logarithmic else ""
    described = f"{name} over {show(last)} steps{scale}; at the end: {ends}"
    return Chart(name, lines, x, y, described)


def show(value: float) -> str:
    """A number with at most four digits that matter, a true minus, thousands apart."""
    if value and math.isfinite(value) and value == int(value) and abs(value) < 1e9:
        return f"{int(value):,}".replace("-", "−").replace(",", "\u202f")
    text = f"{value:.4g}"
    mantissa, e, exponent = text.partition("e")
    return (f"{mantissa}e{int(exponent)}" if e else text).replace("-", "−")


def _line(title: str, kind: str, curve: Curve, x: Scale, y: Scale, marked: bool) -> Line:
    places = [(round(x(p.x), 1), round(y(p.y), 1)) for p in curve.points]
    path = "M" + "L".join(f"{a} {b}" for a, b in places) + ("h0" if len(places) == 1 else "")
    band = ""
    if curve.is_mean:
        upper = [
            f"{a} {round(y(p.high), 1)}" for (a, _), p in zip(places, curve.points, strict=True)
        ]
        lower = [
            f"{a} {round(y(p.low), 1)}" for (a, _), p in zip(places, curve.points, strict=True)
        ]
        band = "M" + "L".join([*upper, *reversed(lower)]) + "Z"
    marks: list[tuple[float, float, str]] = []
    if marked and len(places) <= MARKED:
        marks = [
            (a, b, f"{title} {show(p.y)} at step {show(p.x)}")
            for (a, b), p in zip(places, curve.points, strict=True)
        ]
    values = [(p.x, p.y, a, b) for (a, b), p in zip(places, curve.points, strict=True)]
    return Line(title, kind, path, band, marks, values, show(curve.points[-1].y))


def _y_scale(points: Sequence[Point]) -> Scale:
    low, high = min(p.low for p in points), max(p.high for p in points)
    logarithmic = low > 0 and math.log10(high) - math.log10(low) > DECADES
    if not logarithmic:
        low, high = _apart(low, high)
        # a part of 0 … 1, as accuracies are, or all that is positive: from 0 if that is near
        if 0 < low < (high - low) / 2:
            low = 0.0
        room = (high / 2 - low / 2) / 12
        low, high = low if low == 0 else _bounded(low - room), _bounded(high + room)
    else:
        low, high = low / 1.2, _bounded(high * 1.2)
    return Scale(low, high, HEIGHT - BOTTOM, TOP, logarithmic)


def _apart(low: float, high: float) -> tuple[float, float]:
    """Two ends that are not the same."""
    if low != high:
        return low, high
    room = abs(low) / 10 or 1.0
    return _bounded(low - room), _bounded(high + room)


def _bounded(value: float) -> float:
    return max(-sys.float_info.max, min(sys.float_info.max, value))


def _round(low: float, high: float) -> list[float]:
    """About five round numbers between two ends."""
    rough = high / 5 - low / 5
    if rough < 1e-300:
        return [low]
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next((unit * k for k in (1, 2, 2.5, 5) if unit * k >= rough), unit * 10)
    first = math.ceil(low / step)
    found = [(first + k) * step for k in range(12)]
    return [0.0 if abs(value) < step / 1e6 else value for value in found if value <= high]


def _decades(low: float, high: float) -> list[float]:
    """Powers of ten between two ends, every n-th where there are many; 2 and 5 where few."""
    first, last = math.ceil(math.log10(low)), math.floor(math.log10(high))
    stride = max(1, math.ceil((last - first) / 6))
    found = [10.0**k for k in range(first, last + 1, stride)]
    if len(found) > 2:
        return found
    finer = [m * 10.0**k for k in range(first - 1, last + 1) for m in (1, 2, 5)]
    return [value for value in finer if low <= value <= high]
