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

from einbatch.backends.numpy.groups import Group, in_groups
from einbatch.backends.numpy.instructions import (
    BAND,
    Instruction,
    Loop,
    Product,
    words_of_cut_loop,
    words_of_group,
    words_of_product,
)
from einbatch.backends.numpy.regions import Access, Axes, Memory

LEAST_ROWS = 2
LEAST_WORK = 200_000
"""Less work than this, in additions, goes on as fast without a band."""
AHEAD = 12
"""How many instructions ahead numbers of rows are looked for."""
SMALL = 2**18
"""The most bytes of a product's factor that all threads read, where it is the larger one."""
STACK, ROWS, COLUMNS = 0, 1, 2
"""Where a product is cut: at its outermost stack, or at rows or columns of its result."""


@dataclass(frozen=True, slots=True)
class Cut:
    """An instruction cut along an axis of some extent.

    `place` is that axis of a loop, and of a product STACK, ROWS or COLUMNS.
    """

    instruction: Loop | Product
    place: int
    extent: int
    accesses: tuple[Access, ...]

    def as_whole(self) -> Loop | Cut:
        """A loop that is cut along its first axis, as groups cut theirs; else the cut itself."""
        item = self.instruction
        return item if isinstance(item, Loop) and self.place == 0 else self

    def words(self) -> list[int]:
        """The instruction's own; of a loop, those of a group of its own."""
        if isinstance(self.instruction, Product):
            return words_of_product(self.instruction)
        words = words_of_cut_loop(self.instruction, self.place)
        return words_of_group(self.extent, self.extent, False, words)


@dataclass(frozen=True, slots=True)
class Band:
    """Cuts of instructions that follow each other, each into so many rows."""

    rows: int
    cuts: tuple[Cut, ...]

    @property
    def work(self) -> int:
        """In additions or so."""
        return sum(cut.instruction.work for cut in self.cuts)

    @property
    def is_worth_it(self) -> bool:
        """True for several instructions with a product, and work for more than one thread."""
        has_product = any(isinstance(cut.instruction, Product) for cut in self.cuts)
        return has_product and len(self.cuts) > 1 and self.work >= LEAST_WORK

    def words(self, *, together: bool = True) -> list[int]:
        """The instruction's words: each of those inside after its rows in one of the band's.

        Loops are in groups if `together`.
        """
        words: list[int] = []
        for item in in_groups((cut.as_whole() for cut in self.cuts), together=together):
            if isinstance(item, Group):
                rows = min(r for r in item.rows if r % self.rows == 0)
                alone = replace(item, rows=(rows,))
                words.extend((rows // self.rows, 0, *alone.words(shares=False)))
            else:
                words.extend((item.extent // self.rows, item.place, *item.words()))
        return [BAND, len(words) + 3, self.rows, *words]


def in_bands(instructions: Sequence[Instruction]) -> Iterator[Instruction | Band]:
    """The instructions, those that make a band as one."""
    finder = _Finder(instructions)
    place = 0
    while place < len(instructions):
        band = finder.find(place)
        if band is not None and band.is_worth_it:
            yield band
            place += len(band.cuts)
            continue
        # A band from within this one would end where it does; one from its last may go on.
        count = 1 if band is None else max(1, len(band.cuts) - 1)
        yield from instructions[place : place + count]
        place += count


class _Finder:
    """Finds bands, each from an instruction on; it never goes back."""

    def __init__(self, instructions: Sequence[Instruction]) -> None:
        self._instructions = instructions
        self._known: dict[int, tuple[Cut, ...]] = {}

    def find(self, start: int) -> Band | None:
        """The band from an instruction on that does the most; None where that cannot be cut."""
        self._known = {place: cuts for place, cuts in self._known.items() if place >= start}
        ahead = range(start, min(start + AHEAD, len(self._instructions)))
        near = {cut.extent for place in ahead for cut in self._cuts(place)}
        bands = (
            self._longest(start, first, rows)
            for first in self._cuts(start)
            for rows in sorted((n for n in near if first.extent % n == 0), reverse=True)
        )
        return max((band for band in bands if band), key=lambda band: band.work, default=None)

    def _cuts(self, place: int) -> tuple[Cut, ...]:
        if place not in self._known:
            self._known[place] = tuple(_cuts(self._instructions[place]))
        return self._known[place]

    def _longest(self, start: int, first: Cut, rows: int) -> Band | None:
        """The longest band of so many rows that begins with a cut."""
        memory = Memory(rows)
        if not memory.take(first.accesses, first.extent):
            return None
        chosen = [first]
        for place in range(start + 1, len(self._instructions)):
            fitting = (cut for cut in self._cuts(place) if cut.extent % rows == 0)
            taken = next((cut for cut in fitting if memory.take(cut.accesses, cut.extent)), None)
            if taken is None:
                break
            chosen.append(taken)
        return Band(rows, tuple(chosen))


def _cuts(instruction: Instruction) -> Iterator[Cut]:
    if isinstance(instruction, Loop):
        yield from _cuts_of_loop(instruction)
    elif isinstance(instruction, Product) and not instruction.is_vector:
        yield from _cuts_of_product(instruction)


def _cuts_of_loop(loop: Loop) -> Iterator[Cut]:
    if any(o.is_scattered or min(o.strides) < 0 for o in loop.operands):
        return
    inmost = len(loop.shape) - 1
    for axis, extent in enumerate(loop.shape):
        if extent < LEAST_ROWS or any(o.is_written and not o.strides[axis] for o in loop.operands):
            continue
        if axis == inmost > 0:
            continue  # memory that lies in one piece is run through in one piece
        accesses = tuple(
            Access(
                operand.pointer,
                _without(axis, tuple(zip(loop.shape, operand.strides, strict=True))),
                operand.strides[axis],
                operand.reach,
                operand.is_written,
            )
            for operand in loop.operands
        )
        yield Cut(loop, axis, extent, accesses)


def _cuts_of_product(product: Product) -> Iterator[Cut]:
    _, _, m, n, k = product.numbers
    item, axes = product.item, _axes_of_product(product)
    if any(stride < 0 for each in axes for _, stride in each):
        return
    depth = len(product.stack)
    if depth and product.stack[0] >= LEAST_ROWS:
        yield _cut_of_product(product, STACK, axes, (0, 0, 0))
    if m >= LEAST_ROWS and (n <= m or n * k * item <= SMALL):
        yield _cut_of_product(product, ROWS, axes, (depth, None, depth))
    if n >= LEAST_ROWS and (m <= n or m * k * item <= SMALL):
        yield _cut_of_product(product, COLUMNS, axes, (None, depth + 1, depth + 1))


def _axes_of_product(product: Product) -> list[Axes]:
    """Of A, B and C the axes of the stack, then those of the matrix, with bytes for strides."""
    a_turned, b_turned, m, n, k = product.numbers
    item = product.item
    shapes = ((m, k, a_turned), (k, n, b_turned), (m, n, False))
    found: list[Axes] = []
    for (rows, columns, turned), (_, (leading,), stack) in zip(
        shapes, product.operands, strict=True
    ):
        down, right = (item, leading * item) if turned else (leading * item, item)
        outer = tuple(zip(product.stack, stack, strict=True))
        found.append((*outer, (rows, down), (columns, right)))
    return found


def _cut_of_product(
    product: Product, place: int, axes: Sequence[Axes], places: tuple[int | None, ...]
) -> Cut:
    """`places` says which axis of each operand is the one that is cut, None that it has none."""
    accesses: list[Access] = []
    for number, (own, at) in enumerate(zip(axes, places, strict=True)):
        step = 0 if at is None else own[at][1]
        left = own if at is None else _without(at, own)
        pointer, reach = product.operands[number][0], product.item
        accesses.append(Access(pointer, left, step, reach, is_written=number == 2))
    extent = axes[2][places[2] or 0][0]
    return Cut(product, place, extent, tuple(accesses))


def _without(place: int, axes: Axes) -> Axes:
    return (*axes[:place], *axes[place + 1 :])
