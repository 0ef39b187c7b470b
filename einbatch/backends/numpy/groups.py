"""Loops that run together, a block of rows at a time, and may share rows among threads.

    x = a + b        for each block of rows:
    y = exp(x)           x = a + b
                         y = exp(x)

What one loop writes is still in the cache when the next one reads it. Loops may run
so where they have rows in common, and where no row of one touches memory that another
row of another writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import TypeVar

from einbatch.backends.numpy.instructions import Loop, can_merge, words_of_group, words_of_loop

Other = TypeVar("Other")

BLOCK_BYTES = 128 * 2**10
"""About what the operands of a block take together: half of a usual second-level cache."""
PARALLEL = 25_000
"""The least work, in additions, that is worth waking another thread for."""
MOST = 24
"""The most loops of a group."""
FEWEST = 16
"""A group that could have more rows takes in a loop with this many at least."""


@dataclass(frozen=True, slots=True)
class Group:
    """Loops and how many rows they may have, the choices in descending order."""

    loops: tuple[Loop, ...]
    rows: tuple[int, ...]

    def words(self, *, shares: bool = True) -> list[int]:
        """The instruction's words; with `shares`, threads may share its rows."""
        rows = self.rows[0] if self.rows else self.loops[0].shape[0]
        each = max(1, sum(_bytes(loop) for loop in self.loops) // max(rows, 1))
        block = max(1, BLOCK_BYTES // each) if self.rows else max(rows, 1)
        work = sum(loop.work for loop in self.loops)
        parallel = shares and bool(self.rows) and work >= PARALLEL
        if self.rows and len(self.loops) == 1:
            block = rows  # nothing to find in the cache: the longer the runs, the better
        if parallel:
            block = min(block, max(1, rows // 4))
        body = [word for loop in self.loops for word in words_of_loop(loop, rows)]
        return words_of_group(rows, block, parallel, body)


def group(loops: Sequence[Loop], *, together: bool = True) -> list[Group]:
    """Loops that follow each other, in groups; the order stays. Each alone if not `together`."""
    groups: list[_Open] = []
    for loop in loops:
        if not (together and groups and groups[-1].take(loop)):
            groups.append(_Open(loop))
    return [Group(tuple(each.loops), tuple(each.touched)) for each in groups]


def in_groups(items: Iterable[Loop | Other], *, together: bool = True) -> Iterator[Group | Other]:
    """The items, loops that follow each other in groups; see `group`."""
    waiting: list[Loop] = []
    for item in items:
        if isinstance(item, Loop):
            waiting.append(item)
            continue
        yield from group(waiting, together=together)
        waiting = []
        yield item
    yield from group(waiting, together=together)


class _Open:
    """A group that may grow: its loops, and what they touch for each number of rows."""

    def __init__(self, loop: Loop) -> None:
        self.loops = [loop]
        self.touched = {rows: _footprints(loop, rows) for rows in _rows(loop)}

    def take(self, loop: Loop) -> bool:
        """Adds a loop, if no row of it touches another row of the others that is written."""
        if len(self.loops) == MOST:
            return False
        new = {rows: _footprints(loop, rows) for rows in _rows(loop) if rows in self.touched}
        shared = [rows for rows in self.touched if rows in new and self._is_apart(new[rows], rows)]
        if not shared or (shared[0] != next(iter(self.touched)) and shared[0] < FEWEST):
            return False
        self.loops.append(loop)
        self.touched = {rows: [*self.touched[rows], *new[rows]] for rows in shared}
        return True

    def _is_apart(self, new: Sequence[_Footprint], rows: int) -> bool:
        return all(
            _rows_apart(a, b)
            for a in self.touched[rows]
            for b in new
            if a.is_written or b.is_written
        )


def _rows(loop: Loop) -> tuple[int, ...]:
    """Into how many rows a loop may be cut, the most first; none where rows share a result."""
    found: list[int] = []
    for axis, _ in enumerate(loop.shape):
        if any(o.strides[axis] < 0 for o in loop.operands):
            break
        if any(o.is_written and (o.strides[axis] == 0 or o.is_scattered) for o in loop.operands):
            break
        if axis and not can_merge(loop, axis - 1):
            break
        found.append(prod(loop.shape[: axis + 1]))
    return tuple(sorted(set(found), reverse=True))


@dataclass(frozen=True, slots=True)
class _Footprint:
    """The memory of an operand: the bytes of its first row, and from one row to the next."""

    first: int
    end: int
    step: int
    last: int
    is_written: bool


def _footprints(loop: Loop, rows: int) -> list[_Footprint]:
    count, axis = 1, -1
    while count != rows or axis < 0:
        axis += 1
        count *= loop.shape[axis]
    inner = loop.shape[axis + 1 :]
    found: list[_Footprint] = []
    for operand in loop.operands:
        strides = operand.strides
        inside = sum((n - 1) * s for n, s in zip(inner, strides[axis + 1 :], strict=True))
        end, step = operand.pointer + inside + operand.reach, strides[axis]
        last = end + (rows - 1) * step
        found.append(_Footprint(operand.pointer, end, step, last, operand.is_written))
    return found


def _rows_apart(a: _Footprint, b: _Footprint) -> bool:
    if a.last <= b.first or b.last <= a.first:
        return True
    return a.step == b.step and max(a.end, b.end) - min(a.first, b.first) <= a.step


def _bytes(loop: Loop) -> int:
    """What a loop's operands take together, each once, however often it is read."""
    total = 0
    for operand in loop.operands:
        moving = prod(
            n for n, stride in zip(loop.shape, operand.strides, strict=True) if stride != 0
        )
        total += moving * min(operand.reach, 8)
    return total
