"""Which statement made a NaN or an infinity, at which element, of which values.

The trail goes backwards, one element at a time: from a bad element to the statement
that wrote it, to a bad element that this read there, until a statement made it of good
ones. The forward and backward statements have been run, so their elements are at hand;
those of the update statements, which rewrite what they read, are made as they are asked
for, by the loop nest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from einbatch.ir import IndexValue, Number, Program, Scan, Statement, Step, statements_of, walk
from einbatch.ir.program import Dtype, Tensor
from einbatch.loops import IDENTITY, MEANING, Cells, Element, Nest, prepare
from einbatch.model.arrays import Array

MOST_POINTS = 300_000
"""The most points of an index space that one element is looked for in."""


@dataclass(frozen=True, slots=True)
class Value:
    """An element of a tensor as it was after `version` update statements."""

    tensor: str
    element: Element
    number: float
    version: int

    @property
    def is_bad(self) -> bool:
        """True for NaN and infinity."""
        return not math.isfinite(self.number)


@dataclass(frozen=True, slots=True)
class Culprit:
    """The bad value, the statement that made it (None: it was given), and what of."""

    value: Value
    statement: Statement | None
    reads: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A statement, and the indices of the scans around it."""

    statement: Statement
    rounds: tuple[str, ...]


def first_bad(array: Array) -> Element | None:
    """The first element that is NaN or infinite; None where all are finite."""
    bad = ~np.isfinite(array)
    if not bad.any():
        return None
    return tuple(int(k) for k in np.unravel_index(int(np.argmax(bad)), array.shape))


class Trail:
    """A program's forward and backward statements, run; its updates are still to be run.

    `values` holds every input, param, state and value, as the updates find them, and
    `scanned` the temporaries that the updates make in scans, as they are in the end.
    """

    def __init__(
        self,
        program: Program,
        values: Mapping[str, Array],
        extents: Mapping[str, int],
        dtype: Dtype,
        scanned: Mapping[str, Array],
    ) -> None:
        self.program = program
        self.values = values
        self.scanned = scanned
        self.dtype = dtype
        self.forward = list(_flat(program.statements, ()))
        self.updates = list(_flat(program.updates, ()))
        self._version = 0
        self._reads: list[Value] = []
        self._made: dict[tuple[str, Element, int], float] = {}
        cells: dict[str, Cells] = {t.name: _Asked(self, t.name) for t in program.tensors}
        self.nest: Nest = prepare(MEANING, program, cells, extents)

    def follow(self, tensor: str, element: Element, version: int) -> Culprit:
        """What made a bad element, as it was after `version` update statements."""
        value = Value(tensor, element, self.at(tensor, element, version), version)
        seen: set[tuple[str, Element, int]] = set()
        while True:
            seen.add((value.tensor, value.element, value.version))
            statement, reads = self._maker(value)
            if statement is None:
                return Culprit(value, None, ())
            bad = [r for r in reads if (r.tensor, r.element, r.version) not in seen]
            before = self._worst(bad)
            if before is None:
                return Culprit(value, statement, reads)
            value = before

    def at(self, tensor: str, element: Element, version: int) -> float:
        """An element after so many update statements."""
        if tensor in self.scanned:
            return self.scanned[tensor][element].item()
        number = self._writer(tensor, version)
        if number is None:
            return self.values[tensor][element].item()
        key = (tensor, element, number)
        if key not in self._made:
            self._made[key] = self._update(number, element)[0]
        return self._made[key]

    def read(self, tensor: str, element: Element) -> float:
        """What a statement that is being looked at reads; noted."""
        version = self._version
        number = self.at(tensor, element, version)
        self._version = version
        self._reads.append(Value(tensor, element, number, version))
        return number

    def _writer(self, tensor: str, version: int) -> int | None:
        """The last of the first `version` updates that writes a tensor."""
        for number in reversed(range(version)):
            if self.updates[number].statement.target == tensor:
                return number
        return None

    def _maker(self, value: Value) -> tuple[Statement | None, tuple[Value, ...]]:
        """The statement that made an element bad, and what it read there."""
        number = self._writer(value.tensor, value.version)
        if number is not None and value.tensor not in self.scanned:
            return self.updates[number].statement, self._update(number, value.element)[1]
        steps = [(0, item) for item in self.forward]
        if value.tensor in self.scanned:
            steps = list(enumerate(self.updates))
        found: tuple[Statement | None, tuple[Value, ...]] = (None, ())
        total: float | None = None
        for version, item in steps:
            if item.statement.target == value.tensor:
                start = IDENTITY[item.statement.operator] if total is None else total
                total, reads = self._accumulate(item, value.element, version, start)
                if reads or found[0] is None:
                    found = (item.statement, reads)
                if not math.isfinite(total):
                    break
        return found

    def _update(self, number: int, element: Element) -> tuple[float, tuple[Value, ...]]:
        """The element after an update statement, and what that read."""
        statement = self.updates[number].statement
        start: float = IDENTITY[statement.operator]
        if statement.target in self.values or self._writer(statement.target, number) is not None:
            start = self.at(statement.target, element, number)
        return self._accumulate(self.updates[number], element, number, start)

    def _accumulate(
        self, item: Written, element: Element, version: int, start: float
    ) -> tuple[float, tuple[Value, ...]]:
        """The element after a statement, and what the point that turned it bad, or the last, read.

        The element was `start` before.
        """
        statement, operator = item.statement, item.statement.operator
        total, reads = start, ()
        outer = self._reads
        for here in self._points(item, element):
            self._reads, self._version = [], version
            with np.errstate(all="ignore"):
                value = self.nest.value(statement.value, here)
                total = self._cast(self.nest.combine(operator, total, value))
            reads = tuple(dict.fromkeys(self._reads))
            if not math.isfinite(total):
                break
        self._reads = outer
        return total, reads

    def _cast(self, number: float) -> float:
        return float(np.asarray(number, np.float64).astype(self.dtype))

    def _points(self, item: Written, element: Element) -> Iterator[dict[str, int]]:
        """The points of the index space at which a statement writes an element."""
        subscripts = item.statement.subscripts
        names = (*item.rounds, *item.statement.indices)
        fixed: dict[str, int] = {}
        for subscript, place in zip(subscripts, element, strict=True):
            if isinstance(subscript, IndexValue):
                fixed[subscript.index] = place
        ranges = [(fixed[n],) if n in fixed else range(self.nest.extents[n]) for n in names]
        for number, point in enumerate(product(*ranges)):
            if number == MOST_POINTS:
                return
            here = dict(zip(names, point, strict=True))
            if self.nest.element(subscripts, here) == element:
                yield here

    def _worst(self, reads: Sequence[Value]) -> Value | None:
        """The read to follow: a NaN first, an infinity where nobody wrote or gave one."""
        bad = [value for value in reads if value.is_bad]
        ordered = sorted(bad, key=lambda value: not math.isnan(value.number))
        return next((v for v in ordered if math.isnan(v.number) or not self._is_meant(v)), None)

    def _is_meant(self, value: Value) -> bool:
        """True where an infinity is what a tensor was given, or what a statement says."""
        tensor: Tensor = self.program.tensor(value.tensor)
        if tensor.kind in ("input", "draw"):
            return True
        statements = [*statements_of(self.program.statements), *statements_of(self.program.updates)]
        writers = [s for s in statements if s.target == value.tensor]
        numbers = (n for s in writers for n in walk(s.value) if isinstance(n, Number))
        return any(math.isinf(number.value) for number in numbers)


class _Asked(dict[Element, float]):
    """The elements of a tensor, each asked for when it is read; none is kept."""

    def __init__(self, trail: Trail, tensor: str) -> None:
        super().__init__()
        self._trail = trail
        self._tensor = tensor

    def __missing__(self, element: Element) -> float:
        return self._trail.read(self._tensor, element)


def _flat(steps: Sequence[Step], rounds: tuple[str, ...]) -> Iterator[Written]:
    for step in steps:
        match step:
            case Statement():
                yield Written(step, rounds)
            case Scan(index=index, body=body):
                yield from _flat(body, (*rounds, index))
