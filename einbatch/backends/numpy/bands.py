"""Instructions that threads run side by side, each thread for rows of its own all the way.

    t = x @ W      rows 0-15 of x, t and y: one thread
    y = exp(t)     rows 16-31: another

Nobody waits for anybody between the instructions, and what a thread reads is in its own
cache. That holds where no row of one instruction touches memory that another row of
another writes. A row is a step along some axis: the batch of a scan, an image's lines.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import gcd

from einbatch.backends.numpy.groups import PARALLEL, group
from einbatch.backends.numpy.instructions import (
    BAND,
    GROUP,
    Instruction,
    Loop,
    Product,
    words_of_cut_loop,
    words_of_product,
)

LEAST_ROWS = 2
"""Fewer rows than these are no work for several threads."""
AHEAD = 12
"""How many instructions ahead numbers of rows are looked for."""
MOST_REGIONS = 200
"""How many pieces of memory the instructions of a band may touch."""
SMALL = 2**18
"""The most bytes of a product's factor that all threads read, where it is the larger one."""
STACK, ROWS, COLUMNS = 0, 1, 2
"""Where a product is cut: its outermost stack, the rows or the columns of its result."""

Axes = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class _Access:
    """An operand's memory: where its first element is, what its axes step by, and the cut's."""

    first: int
    axes: Axes
    step: int
    reach: int
    is_written: bool


@dataclass(frozen=True, slots=True)
class _Cut:
    """An instruction cut along an axis: of a loop that axis, of a product STACK, ROWS or COLUMNS."""

    instruction: Loop | Product
    place: int
    extent: int
    accesses: tuple[_Access, ...]

    def words(self) -> list[int]:
        """The instruction's own; of a loop, those of a group of its own."""
        if isinstance(self.instruction, Product):
            return words_of_product(self.instruction)
        words = words_of_cut_loop(self.instruction, self.place)
        return [GROUP, len(words) + 5, self.extent, self.extent, 0, *words]


@dataclass(frozen=True, slots=True)
class _Region:
    """Memory in rows: row r has `width` bytes from `first + r*step` on, again each `period`.

    A period of 0 is none. All of it lies from `low` on and below `high`.
    """

    low: int
    high: int
    first: int
    width: int
    step: int
    period: int
    is_written: bool


@dataclass(frozen=True, slots=True)
class Band:
    """Cuts of instructions that follow each other, each into so many rows."""

    rows: int
    cuts: tuple[_Cut, ...]

    @property
    def work(self) -> int:
        """In additions or so."""
        return sum(cut.instruction.work for cut in self.cuts)

    def words(self) -> list[int]:
        """The instruction's words: each of those inside after its rows in one of the band's."""
        words: list[int] = []
        waiting: list[Loop] = []

        def flush() -> None:
            for each in group(waiting):
                rows = min(r for r in each.rows if r % self.rows == 0)
                alone = replace(each, rows=(rows,))
                words.extend((rows // self.rows, 0, *alone.words(shares=False)))
            waiting.clear()

        for cut in self.cuts:
            if isinstance(cut.instruction, Loop) and cut.place == 0:
                waiting.append(cut.instruction)
                continue
            flush()
            words.extend((cut.extent // self.rows, cut.place, *cut.words()))
        flush()
        return [BAND, len(words) + 3, self.rows, *words]


class Finder:
    """Finds the bands of a list of instructions."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self._instructions = instructions
        self._known: dict[int, tuple[_Cut, ...]] = {}

    def find(self, start: int) -> Band | None:
        """The band from an instruction on that does the most; None where that is not worth it."""
        self._known = {place: cuts for place, cuts in self._known.items() if place >= start}
        best: Band | None = None
        for cut in self._cuts(start):
            for rows in self._numbers_of_rows(start, cut.extent):
                band = self._extended(start, cut, rows)
                if band is not None and (best is None or band.work > best.work):
                    best = band
        if best is None or best.work < PARALLEL or len(best.cuts) < 2:
            return None
        has_product = any(isinstance(cut.instruction, Product) for cut in best.cuts)
        return best if has_product else None

    def _cuts(self, place: int) -> tuple[_Cut, ...]:
        """How an instruction may be cut; those that were passed are forgotten."""
        if place not in self._known:
            self._known[place] = tuple(_cuts(self._instructions[place]))
        return self._known[place]

    def _numbers_of_rows(self, start: int, extent: int) -> list[int]:
        ahead = range(start, min(start + AHEAD, len(self._instructions)))
        found = {cut.extent for place in ahead for cut in self._cuts(place)}
        return sorted((n for n in found if extent % n == 0), reverse=True)

    def _extended(self, start: int, first: _Cut, rows: int) -> Band | None:
        """The longest band of so many rows that begins with a cut."""
        memory = _Memory(rows)
        if not memory.take(first):
            return None
        cuts = [first]
        for place in range(start + 1, len(self._instructions)):
            fitting = (cut for cut in self._cuts(place) if cut.extent % rows == 0)
            chosen = next((cut for cut in fitting if memory.take(cut)), None)
            if chosen is None:
                break
            cuts.append(chosen)
        return Band(rows, tuple(cuts))


class _Memory:
    """What the instructions of a band touch, by rows."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.regions: list[_Region] = []

    def take(self, cut: _Cut) -> bool:
        """Adds what an instruction touches; False, and nothing added, where rows would meet."""
        regions = self.regions
        for access in cut.accesses:
            region = _region(access, cut.extent // self.rows, self.rows)
            taken = None if region is None else self._with(regions, region)
            if taken is None or len(taken) > MOST_REGIONS:
                return False
            regions = taken
        self.regions = regions
        return True

    def _with(self, regions: list[_Region], new: _Region) -> list[_Region] | None:
        """The regions and one more, made one with those that it meets; None where rows meet."""
        others: list[_Region] = []
        for old in regions:
            if old.high < new.low or new.high < old.low:
                others.append(old)
                continue
            union = _union(old, new, self.rows)
            if union is not None:
                new = union
            elif (old.is_written or new.is_written) and old.high > new.low and new.high > old.low:
                return None
            else:
                others.append(old)
        return [*others, new]


def _region(access: _Access, per_row: int, rows: int) -> _Region | None:
    """An operand's memory by rows; None where rows of what is written overlap."""
    step = per_row * access.step
    axes = [(n, s) for n, s in (*access.axes, (per_row, access.step)) if n > 1 and s]
    period = gcd(*(s for _, s in axes if step and s >= rows * step))
    width = access.reach + sum((n - 1) * s for n, s in axes if not step or s < rows * step)
    high = access.first + access.reach + sum((n - 1) * s for n, s in axes) + (rows - 1) * step
    apart = step and width <= step and (not period or rows * step <= period)
    if access.is_written and not apart:
        return None
    if not apart:
        step = period = 0
    return _Region(
        access.first, high, access.first, width, step, period, access.is_written
    )


def _union(a: _Region, b: _Region, rows: int) -> _Region | None:
    """Two regions as one, where each row of one meets no other row of the other."""
    low, high, written = min(a.low, b.low), max(a.high, b.high), a.is_written or b.is_written
    if a.step != b.step or (written and not a.step):
        return None
    if not a.step:
        return _Region(low, high, low, high - low, 0, 0, False)
    period = gcd(a.period, b.period)
    if period and rows * a.step > period:
        return None
    further = b.first - a.first
    if period:
        further = (further + period // 2) % period - period // 2
    first = min(further, 0)
    width = max(further + b.width, a.width) - first
    if width > a.step:
        return None
    return _Region(low, high, a.first + first, width, a.step, period, written)


def _cuts(instruction: Instruction) -> Iterator[_Cut]:
    if isinstance(instruction, Loop):
        yield from _cuts_of_loop(instruction)
    elif isinstance(instruction, Product) and not instruction.is_vector:
        yield from _cuts_of_product(instruction)


def _cuts_of_loop(loop: Loop) -> Iterator[_Cut]:
    operands = loop.operands
    if any(o.is_scattered or min(o.strides) < 0 for o in operands):
        return
    inmost = len(loop.shape) - 1
    for axis, extent in enumerate(loop.shape):
        if extent < LEAST_ROWS or any(o.is_written and not o.strides[axis] for o in operands):
            continue
        if axis == inmost > 0:
            continue  # where memory lies in one piece it is run through in one piece
        accesses = tuple(
            _Access(
                o.pointer,
                tuple(
                    (n, s)
                    for k, (n, s) in enumerate(zip(loop.shape, o.strides, strict=True))
                    if k != axis
                ),
                o.strides[axis],
                o.reach,
                o.is_written,
            )
            for o in operands
        )
        yield _Cut(loop, axis, extent, accesses)


def _cuts_of_product(product: Product) -> Iterator[_Cut]:
    a_turned, b_turned, m, n, k = product.numbers
    item = 8 if product.is_double else 4
    (a, (lda,), a_stack), (b, (ldb,), b_stack), (c, (ldc,), c_stack) = product.operands
    a_steps = (item, lda * item) if a_turned else (lda * item, item)
    b_steps = (item, ldb * item) if b_turned else (ldb * item, item)
    c_steps = (ldc * item, item)
    matrices = (
        (a, ((m, a_steps[0]), (k, a_steps[1])), a_stack),
        (b, ((k, b_steps[0]), (n, b_steps[1])), b_stack),
        (c, ((m, c_steps[0]), (n, c_steps[1])), c_stack),
    )
    stack = [tuple(zip(product.stack, own, strict=True)) for _, _, own in matrices]

    def cut(place: int, extent: int, steps: tuple[int, int, int], gone: tuple[int, int, int]) -> _Cut:
        """`gone` are the places of the cut's axis among those of each operand, -1 for none."""
        accesses: list[_Access] = []
        for number, (pointer, own, _) in enumerate(matrices):
            axes = (*stack[number], *own)
            left = tuple(axis for p, axis in enumerate(axes) if p != gone[number])
            accesses.append(_Access(pointer, left, steps[number], item, number == 2))
        return _Cut(product, place, extent, tuple(accesses))

    if any(step < 0 for axes in stack for _, step in axes):
        return
    depth = len(product.stack)
    if depth and product.stack[0] >= LEAST_ROWS:
        yield cut(STACK, product.stack[0], tuple(s[0][1] for s in stack), (0, 0, 0))
    if m >= LEAST_ROWS and (n <= m or n * k * item <= SMALL):
        yield cut(ROWS, m, (a_steps[0], 0, c_steps[0]), (depth, -1, depth))
    if n >= LEAST_ROWS and (m <= n or m * k * item <= SMALL):
        yield cut(COLUMNS, n, (0, b_steps[1], c_steps[1]), (-1, depth + 1, depth + 1))
