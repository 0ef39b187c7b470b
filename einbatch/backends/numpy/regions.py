"""What memory instructions touch, row by row: whether a row meets what another row writes.

Row r of an instruction that is cut into rows touches the bytes from `first + r*step` on,
`width` of them, and where an axis outside the rows steps over all of them, the same
again each `period`. Two instructions may run side by side where the rows of each are in
the same places, or where the memory of both is read only, or is not the same at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

MOST = 200
"""How many regions are kept; more are taken for rows that meet."""

Axes = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Access:
    """An operand of an instruction that is cut along an axis of so many bytes a `step`.

    `first` is where it begins, `axes` are the extents and strides of the others, and
    `reach` the bytes of an element.
    """

    first: int
    axes: Axes
    step: int
    reach: int
    is_written: bool


@dataclass(frozen=True, slots=True)
class _Region:
    """Bytes by rows, from `low` on and below `high`; a `step` of 0: all of them in all rows."""

    low: int
    high: int
    first: int
    width: int
    step: int
    period: int
    is_written: bool

    def meets(self, other: _Region) -> bool:
        """True where the two have bytes in common."""
        return self.low < other.high and other.low < self.high


class Memory:
    """The regions that instructions touch, each cut into so many rows."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._regions: list[_Region] = []

    def take(self, accesses: tuple[Access, ...], extent: int) -> bool:
        """Adds an instruction's operands, cut along an axis of that extent.

        False, and nothing is added, where a row would meet what another row writes.
        """
        regions: list[_Region] | None = self._regions
        for access in accesses:
            region = _region(access, extent // self._rows, self._rows)
            regions = None if region is None else self._with(regions, region)
            if regions is None or len(regions) > MOST:
                return False
        self._regions = regions
        return True

    def _with(self, regions: list[_Region], new: _Region) -> list[_Region] | None:
        """The regions and one more, made one with those that it touches; None where rows meet."""
        others: list[_Region] = []
        for old in regions:
            if old.high < new.low or new.high < old.low:
                others.append(old)
                continue
            both = _union(old, new, self._rows)
            if both is not None:
                new = both
            elif (old.is_written or new.is_written) and old.meets(new):
                return None
            else:
                others.append(old)
        return [*others, new]


def _region(access: Access, per_row: int, rows: int) -> _Region | None:
    """An operand's bytes by rows; None where rows of what is written overlap."""
    step, reach, written = per_row * access.step, access.reach, access.is_written
    axes = [(n, s) for n, s in (*access.axes, (per_row, access.step)) if n > 1 and s]
    period = gcd(*(s for _, s in axes if step and s >= rows * step))
    width = reach + sum((n - 1) * s for n, s in axes if not step or s < rows * step)
    low, size = access.first, reach + sum((n - 1) * s for n, s in axes) + (rows - 1) * step
    if step and width <= step and (not period or rows * step <= period):
        return _Region(low, low + size, low, width, step, period, written)
    return None if written else _Region(low, low + size, low, size, 0, 0, is_written=False)


def _union(a: _Region, b: _Region, rows: int) -> _Region | None:
    """Two regions as one, where no row of one meets another row of the other."""
    low, high, written = min(a.low, b.low), max(a.high, b.high), a.is_written or b.is_written
    if a.step != b.step:
        return None
    if not a.step:
        return _Region(low, high, low, high - low, 0, 0, is_written=False)
    period = gcd(a.period, b.period)
    if period and rows * a.step > period:
        return None
    further = b.first - a.first
    if period:
        further = (further + period // 2) % period - period // 2
    ahead = min(further, 0)
    width = max(further + b.width, a.width) - ahead
    if width > a.step:
        return None
    return _Region(low, high, a.first + ahead, width, a.step, period, written)
