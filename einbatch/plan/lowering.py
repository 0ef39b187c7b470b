"""What lowering a program carries along, and arrays whose axes are indices."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from einbatch.diagnostics import EinbatchError, Span
from einbatch.ir.constants import Value as Exact
from einbatch.ir.constants import as_float, evaluate_constant
from einbatch.ir.program import (
    Apply,
    Constant,
    Dtype,
    Expression,
    Extent,
    Number,
    Program,
    Tensor,
)
from einbatch.plan.graph import Graph, Kind, Shape, Value
from einbatch.plan.operations import COMMUTATIVE, POINTWISE


@dataclass(frozen=True, slots=True)
class Term:
    """A value of the graph, each of its axes an index."""

    value: int
    axes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """A computed subscript that must be inside its axis: which, and where it stands."""

    tensor: str
    axis: int
    extent: int
    indices: tuple[str, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class Contraction:
    """One pairwise step of a sum of products: the indices of its factors and of the result."""

    statement: int
    value: int
    left: tuple[str, ...]
    right: tuple[str, ...]
    result: tuple[str, ...]
    flops: int


class Lowering:
    """The graph as it grows, and the value that each tensor has by now."""

    def __init__(
        self,
        program: Program,
        extents: Mapping[str, int],
        dtype: Dtype,
        without: frozenset[str] = frozenset(),
    ) -> None:
        self.program = program
        self.extents = extents
        self.dtype: Dtype = dtype
        self.without = without
        self.graph = Graph(numbers_values=self.uses("number_values"))
        self.current: dict[str, int] = {}
        self.fixed: dict[str, int] = {}
        """The indices of the loops around, each with its loop: in a round, one integer."""
        self.scanned: tuple[str, ...] = ()
        """Those of them that are the program's own scans."""
        self.carried: set[str] = set()
        """Tensors that the loops around write: in place, in memory that lasts."""
        self.rank: dict[str, int] = {}
        self.guards: list[Term] = []
        self.checks: list[Check] = []
        self.checked: list[int] = []
        self.contractions: list[Contraction] = []
        self.tensors = {tensor.name: tensor for tensor in program.tensors}
        self.constants: dict[str, Exact] = {}
        for let in program.lets:
            self.constants[let.name] = evaluate_constant(let.value, self.constants, extents)

    def uses(self, name: str) -> bool:
        """True unless this pass, see `passes`, is left out."""
        return name not in self.without

    def shape_of(self, tensor: Tensor) -> Shape:
        """A tensor's extents as integers."""
        return tuple(
            int(evaluate_constant(extent, self.constants, self.extents))
            for extent in tensor.extents
        )

    def shape(self, axes: Iterable[str]) -> Shape:
        """The extents of indices."""
        return tuple(self.extents[name] for name in axes)

    def kind(self, term: Term) -> Kind:
        return self.graph[term.value].kind

    def ordered(self, names: Iterable[str]) -> tuple[str, ...]:
        """Indices in the order that the statement wants: its left side's first."""
        last = len(self.rank)
        return tuple(sorted(dict.fromkeys(names), key=lambda name: self.rank.get(name, last)))

    @contextmanager
    def guarded(self, condition: Term) -> Generator[None]:
        """What is lowered inside is wanted only where the condition holds."""
        self.guards.append(condition)
        try:
            yield
        finally:
            self.guards.pop()

    @contextmanager
    def unfixed(self, names: Iterable[str]) -> Generator[None]:
        """What is lowered inside runs through these indices, whatever loop is around."""
        fixed = self.fixed
        self.fixed = {name: loop for name, loop in fixed.items() if name not in set(names)}
        try:
            yield
        finally:
            self.fixed = fixed

    @contextmanager
    def scanning(self, index: str) -> Generator[None]:
        """What is lowered inside is a scan's body."""
        scanned, self.scanned = self.scanned, (*self.scanned, index)
        try:
            yield
        finally:
            self.scanned = scanned

    def free(self, names: Iterable[str]) -> tuple[str, ...]:
        """The names, each once, without those of the loops around."""
        return tuple(name for name in dict.fromkeys(names) if name not in self.fixed)

    # Constants

    def exact(self, expression: Expression) -> Exact | None:
        """The value of an expression that data does not enter, None of any other."""
        if not _is_constant(expression):
            return None
        try:
            return evaluate_constant(expression, self.constants, self.extents)
        except EinbatchError:
            return None  # 1/0 where it is not wanted: computed as IEEE arithmetic has it

    def number(self, value: Exact, kind: Kind = "float") -> Term:
        """A constant."""
        number = int(value) if kind != "float" else as_float(value)
        return Term(self.graph.add(Value("constant", (), (number,), (), kind)))

    def constant_of(self, term: Term) -> float | None:
        """The number that a term is everywhere, None where it is no constant."""
        value = self.graph[term.value]
        if value.operation != "constant":
            return None
        number = value.attributes[0]
        return number if isinstance(number, (int, float)) else None

    def range(self, index: str) -> Term:
        """An index as a number."""
        value = self.graph.add(Value("range", (), (), (self.extents[index],), "int"))
        if index in self.fixed:
            return self.at_round(Term(value, (index,)), index)
        return Term(value, (index,))

    def at_round(self, term: Term, index: str) -> Term:
        """A term where one of its axes, an index of a loop around, is what it is in the round."""
        if index not in term.axes or index not in self.fixed:
            return term
        layout, shape = self.graph.layout(term.value), self.graph[term.value].shape
        place = term.axes.index(index)
        kept = [axis for axis in range(len(shape)) if axis != place]
        moved = (*layout.steps, self.fixed[index], layout.strides[place])
        view = self.graph.view(
            term.value,
            tuple(shape[axis] for axis in kept),
            tuple(layout.strides[axis] for axis in kept),
            layout.offset,
            moved if layout.strides[place] else layout.steps,
        )
        return Term(view, tuple(term.axes[axis] for axis in kept))

    # Axes

    def align(self, term: Term, axes: Sequence[str]) -> int:
        """The value with one axis for each of `axes`, of extent 1 where the term has none."""
        if term.axes == tuple(axes):
            return term.value
        layout, shape = self.graph.layout(term.value), self.graph[term.value].shape
        places = {name: place for place, name in enumerate(term.axes)}
        chosen = [places.get(name) for name in axes]
        return self.graph.view(
            term.value,
            tuple(1 if place is None else shape[place] for place in chosen),
            tuple(0 if place is None else layout.strides[place] for place in chosen),
            layout.offset,
        )

    def expand(self, term: Term, axes: Sequence[str]) -> int:
        """The value with exactly `axes`, repeated along those that the term has not."""
        layout = self.graph.layout(term.value)
        places = {name: place for place, name in enumerate(term.axes)}
        strides = tuple(layout.strides[places[name]] if name in places else 0 for name in axes)
        return self.graph.view(term.value, self.shape(axes), strides, layout.offset)

    def reduced(self, value: int, axes: Sequence[str]) -> Term:
        """A value as a term without the axes along which it only repeats."""
        layout, shape = self.graph.layout(value), self.graph[value].shape
        kept = [k for k, n in enumerate(shape) if n == 1 or layout.strides[k] != 0]
        if len(kept) == len(shape):
            return Term(value, tuple(axes))
        view = self.graph.view(
            value,
            tuple(shape[k] for k in kept),
            tuple(layout.strides[k] for k in kept),
            layout.offset,
        )
        return Term(view, tuple(axes[k] for k in kept))

    def contiguous(self, value: int) -> int:
        """The value with its elements one after the other, copied if need be."""
        if self.graph.is_contiguous(value):
            return value
        item = self.graph[value]
        return self.graph.add(Value("copy", (value,), (), item.shape, item.kind))

    def root(self, value: int) -> int:
        """The value in memory of its own, as it is or copied."""
        if self.graph.layout(value).root == value:
            return value
        item = self.graph[value]
        return self.graph.add(Value("copy", (value,), (), item.shape, item.kind))

    def line(self, term: Term, axes: Sequence[str]) -> int:
        """The term over `axes`, its elements as one axis."""
        value = self.contiguous(self.expand(term, axes))
        offset = self.graph.layout(value).offset
        return self.graph.view(value, (self.graph[value].size,), (1,), offset)

    # Pointwise operations

    def pointwise(self, operation: str, *terms: Term) -> Term:
        """An operation on each element, over all axes that any term has."""
        folded = self._fold(operation, terms)
        if folded is not None:
            return folded
        axes = self._common_axes(terms)
        arguments = tuple(self._operand(term, axes) for term in terms)
        if operation in COMMUTATIVE:
            arguments = tuple(sorted(arguments, key=lambda a: (not self.graph[a].shape, a)))
        kind = POINTWISE[operation] or self._joint_kind(operation, terms)
        shape = self.shape(axes)
        return Term(self.graph.add(Value(operation, arguments, (), shape, kind)), axes)

    def cast(self, term: Term, kind: Kind) -> Term:
        """The term in another kind of number."""
        if self.kind(term) == kind:
            return term
        constant = self.constant_of(term)
        if constant is not None and math.isfinite(constant):
            return self.number(constant, kind)
        shape = self.graph[term.value].shape
        return Term(self.graph.add(Value("cast", (term.value,), (), shape, kind)), term.axes)

    def as_float(self, term: Term) -> Term:
        return self.cast(term, "float")

    def _joint_kind(self, operation: str, terms: Sequence[Term]) -> Kind:
        kinds: list[Kind] = [self.kind(term) for term in terms]
        if operation == "where":
            return kinds[-1]
        return "float" if "float" in kinds else "int" if "int" in kinds else "bool"

    def _operand(self, term: Term, axes: Sequence[str]) -> int:
        """The value as pointwise operations take it: axes that it lacks in front left out."""
        first = min((axes.index(name) for name in term.axes), default=len(axes))
        return self.align(term, axes[first:])

    def _common_axes(self, terms: Sequence[Term]) -> tuple[str, ...]:
        """All axes of the terms: as the largest has them if it has all, else as wanted."""
        union = self.ordered(name for term in terms for name in term.axes)
        for term in terms:
            if len(term.axes) == len(union) and self.graph.is_contiguous(term.value):
                return term.axes
        return union

    def _fold(self, operation: str, terms: Sequence[Term]) -> Term | None:
        """`1*x`, `x+0`, `x-0`, `x/1` are x; the rest of arithmetic is left as it is."""
        if len(terms) != 2 or operation not in ("multiply", "add", "subtract", "divide"):
            return None
        first, second = terms
        neutral = 1 if operation in ("multiply", "divide") else 0
        if self.constant_of(second) == neutral and self.kind(first) == "float":
            return first
        if operation in ("multiply", "add") and self.constant_of(first) == neutral:
            return second if self.kind(second) == "float" else None
        return None


def _is_constant(expression: Expression) -> bool:
    match expression:
        case Number() | Constant() | Extent():
            return True
        case Apply(arguments=arguments):
            return all(_is_constant(argument) for argument in arguments)
        case _:
            return False
