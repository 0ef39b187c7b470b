"""The confusion matrix: what a program takes for which class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from einbatch.ir import (
    Apply,
    Expression,
    IndexValue,
    Program,
    Read,
    Reduce,
    Statement,
    Tensor,
    free_indices,
    statements_of,
    walk,
)

PREDICTED, TRUE = "predicted class", "true class"
"""Names with a space in them: no program has a tensor of these."""
MOST = 40
"""The most classes whose matrix is shown."""


@dataclass(frozen=True, slots=True)
class Question:
    """A program that computes both tensors, over the same indices; `classes` is their index."""

    program: Program
    label: str
    classes: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A number of the matrix: `share` says in percent how strongly it is coloured."""

    count: int
    kind: str
    share: int
    title: str


@dataclass(frozen=True, slots=True)
class Line:
    """The cells of a true class, and the part of it that was found."""

    cells: Sequence[Cell]
    recall: str


@dataclass(frozen=True, slots=True)
class Confusion:
    """`counts[k,l]`: examples of class k that were taken for class l."""

    counts: NDArray[np.int64]
    names: Sequence[str]

    @property
    def total(self) -> int:
        """All examples."""
        return int(self.counts.sum())

    @property
    def accuracy(self) -> float:
        """The part of the examples that was taken for what it is."""
        return float(np.trace(self.counts)) / max(self.total, 1)

    @property
    def is_small(self) -> bool:
        """True where the matrix can be read."""
        return len(self.names) <= MOST

    @property
    def lines(self) -> list[Line]:
        """The matrix, row by row; the colour of a mistake grows fast, for most are rare."""
        return [self._line(k) for k in range(len(self.names))]

    @property
    def precisions(self) -> list[str]:
        """For each class the part of what was taken for it that is."""
        return [_part(self.counts[k, k], self.counts[:, k].sum()) for k in range(len(self.names))]

    def _line(self, k: int) -> Line:
        row = self.counts[k]
        return Line([self._cell(k, m) for m in range(len(row))], _part(row[k], row.sum()))

    def _cell(self, k: int, m: int) -> Cell:
        number = int(self.counts[k, m])
        share = number / max(int(self.counts[k].sum()), 1)
        strength = share if k == m else share**0.5
        kind = "none" if not number else "right" if k == m else "wrong"
        title = f"class {self.names[k]} taken for {self.names[m]}: {number:,}"
        return Cell(number, kind, round(100 * strength), title)

    def mistakes(self, most: int) -> list[tuple[str, str, int]]:
        """The most frequent confusions: the true class, what it was taken for, how often."""
        wrong = self.counts.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:most]
        pairs = [divmod(int(place), len(self.names)) for place in order]
        return [(self.names[k], self.names[m], int(wrong[k, m])) for k, m in pairs if wrong[k, m]]


def find_question(program: Program) -> Question | None:
    """How a program's classes can be asked for, None where it predicts none.

    A report that compares a read of a label (an input declared `in`) with another
    expression says what predicts it. Where there is none, it is the argmax, over the
    classes, of the tensor that the program reads at the label, as in `P[b,label[b]]`.
    """
    for predicted, true in (*_compared(program), *_gathered(program)):
        indices = free_indices(true)
        label = program.tensor(true.tensor)
        if label.member is not None and set(free_indices(predicted)) <= set(indices):
            return Question(_asking(program, predicted, true, indices), label.name, label.member)
    return None


def count(predicted: NDArray[np.int64], true: NDArray[np.int64], names: Sequence[str]) -> Confusion:
    """The matrix of two arrays of the same shape, whose elements are classes."""
    size = len(names)
    flat = true.ravel() * size + predicted.ravel()
    counts = np.bincount(flat, minlength=size * size).reshape(size, size)
    return Confusion(counts.astype(np.int64), names)


def _compared(program: Program) -> Iterator[tuple[Expression, Read]]:
    for report in program.reports:
        for node in walk(report.value):
            match node:
                case Apply(primitive="eq" | "ne", arguments=(left, right)):
                    for one, other in ((left, right), (right, left)):
                        if isinstance(other, Read) and program.tensor(other.tensor).member:
                            yield one, other
                case _:
                    pass


def _gathered(program: Program) -> Iterator[tuple[Expression, Read]]:
    for statement in statements_of(program.statements):
        for node in walk(statement.value):
            if not isinstance(node, Read) or program.tensor(node.tensor).kind != "value":
                continue
            for place, subscript in enumerate(node.subscripts):
                if not isinstance(subscript, Read):
                    continue
                member = program.tensor(subscript.tensor).member
                if member is not None:
                    parts = list(node.subscripts)
                    parts[place] = IndexValue(member)
                    body = replace(node, subscripts=tuple(parts))
                    yield Reduce("argmax", (member,), body), subscript


def _asking(
    program: Program, predicted: Expression, true: Read, indices: tuple[str, ...]
) -> Program:
    """The program with two statements more: what is predicted, and what is true."""
    subscripts = tuple(map(IndexValue, indices))
    extents = tuple(program.index(name).extent for name in indices)
    pairs = ((PREDICTED, predicted), (TRUE, true))
    return replace(
        program,
        tensors=(*program.tensors, *(Tensor(name, "value", extents) for name, _ in pairs)),
        statements=(
            *program.statements,
            *(Statement(name, subscripts, "=", value, indices) for name, value in pairs),
        ),
        objectives=(),
        reports=(),
    )


def _part(some: np.int64, everything: np.int64) -> str:
    return f"{100 * float(some) / float(everything):.0f} %" if everything else "–"
