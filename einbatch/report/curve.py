"""A curve of any length in bounded memory: neighbours are put together as it grows."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

MOST = 600
"""The most points of a curve; where there would be more, two neighbours become one."""


class Point(NamedTuple):
    """The mean of `weight` values, the last of them at `x`, and their range."""

    x: float
    y: float
    low: float
    high: float
    weight: int


@dataclass(slots=True)
class Curve:
    """Values over steps, in order. `width` values make a point; other than numbers are left out."""

    points: list[Point] = field(default_factory=list[Point])
    width: int = 1

    def add(self, x: float, y: float) -> None:
        """The next value; nothing is added where it is NaN or infinite."""
        if not math.isfinite(y):
            return
        new = Point(x, y, y, y, 1)
        if self.points and self.points[-1].weight < self.width:
            self.points[-1] = _joined(self.points[-1], new)
            return
        if len(self.points) == MOST:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [_joined(first, second) for first, second in pairs]
            self.width *= 2
        self.points.append(new)

    def forget_after(self, x: float) -> None:
        """Drops what came after step `x`: a run that was resumed there does it again."""
        while self.points and self.points[-1].x > x:
            self.points.pop()

    @property
    def is_mean(self) -> bool:
        """True where a point stands for several values."""
        return self.width > 1


def _joined(first: Point, second: Point) -> Point:
    weight = first.weight + second.weight
    # Weights first: a sum of two large values could overflow.
    mean = first.y * (first.weight / weight) + second.y * (second.weight / weight)
    low, high = min(first.low, second.low), max(first.high, second.high)
    return Point(second.x, mean, low, high, weight)
