"""Loops that run together, a block of rows at a time, and may share rows among threads.

    x = a + b        for each block of rows:
    y = exp(x)           x = a + b
                         y = exp(x)

What one loop writes is still in the cache when the next one reads it. Loops may run
so where they have rows in common, and where no row of one touches memory that another
row of another writes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product as pairs
from math import prod

from einbatch.backends.numpy.instructions import GROUP, Loop, Operand, can_merge, words_of_loop

BLOCK_BYTES = 128 * 2**10
"""About what the operands of a block take together: half of a usual second-level cache."""
PARALLEL = 200_000
"""The least work, in additions, that is worth waking another thread for."""
MOST = 24
"""The most loops of a group."""


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
        return [GROUP, len(body) + 5, rows, block, int(parallel), *body]


def group(loops: Sequence[Loop], *, together: bool = True) -> list[Group]:
    """Loops that follow each other, in groups; the order stays. Each alone if not `together`."""
    groups: list[Group] = []
    for loop in loops:
        own = _rows(loop)
        last = groups[-1] if groups else None
        if together and last is not None and len(last.loops) < MOST:
            shared = [r for r in last.rows if r in own and _apart(last.loops, loop, r)]
            if shared and (shared[0] == last.rows[0] or shared[0] >= 16):
                groups[-1] = Group((*last.loops, loop), tuple(shared))
                continue
        groups.append(Group((loop,), own))
    return groups


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


def _apart(loops: Sequence[Loop], new: Loop, rows: int) -> bool:
    """True where no row of the new loop touches another row of the others that is written."""
    return all(
        _rows_apart(_footprint(old, a, rows), _footprint(new, b, rows))
        for old in loops
        for a, b in pairs(old.operands, new.operands)
        if a.is_written or b.is_written
    )


@dataclass(frozen=True, slots=True)
class _Footprint:
    """The memory of an operand: the bytes of its first row, and from one row to the next."""

    first: int
    end: int
    step: int
    last: int


def _footprint(loop: Loop, operand: Operand, rows: int) -> _Footprint:
    count, axis = 1, -1
    while count != rows or axis < 0:
        axis += 1
        count *= loop.shape[axis]
    inside = sum(
        (n - 1) * stride
        for n, stride in zip(loop.shape[axis + 1 :], operand.strides[axis + 1 :], strict=True)
    )
    end = operand.pointer + inside + operand.reach
    step = operand.strides[axis]
    return _Footprint(operand.pointer, end, step, end + (rows - 1) * step)


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
