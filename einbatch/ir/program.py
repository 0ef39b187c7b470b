"""The core language: a checked program, as frozen values.

Abstract grammar:

    Program    = indices, lets, tensors, statements, objectives, reports, updates, train?
    Step       = Statement | Scan
    Statement  = target[subscripts] operator value, over `indices`
    Scan       = index, down, body                    the body once for each round, in order
    Expression = Number | Constant | IndexValue | Extent | Read | Apply | Reduce

Names are plain strings: in one program a name means one thing. A subscript is
an expression of integers; a bare one is an `IndexValue`. Equality leaves places
out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from einbatch.diagnostics import NOWHERE, Span

Operator = Literal["=", "+=", "-=", "*=", "max=", "min="]
Kind = Literal["input", "param", "state", "draw", "value"]
Dtype = Literal["float32", "float64"]
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Number:
    """A number; `math.pi` and `math.inf` print as `pi` and `inf`."""

    value: int | float
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Constant:
    """A constant declared with `let`."""

    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IndexValue:
    """An index, as a number or as a bare subscript."""

    index: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Extent:
    """`|i|`, or an extent by its own name (`B`), as a number."""

    name: str
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Read:
    """One element of a tensor; `otherwise` is taken where a subscript is outside."""

    tensor: str
    subscripts: tuple[Expression, ...]
    otherwise: Expression | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Apply:
    """A primitive (see `primitives.PRIMITIVES`) of its arguments."""

    primitive: str
    arguments: tuple[Expression, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Reduce:
    """A reduction (see `primitives.REDUCTIONS`) of its body over indices."""

    reduction: str
    indices: tuple[str, ...]
    body: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Expression = Number | Constant | IndexValue | Extent | Read | Apply | Reduce


@dataclass(frozen=True, slots=True)
class Statement:
    """`for indices: target[subscripts] operator value`.

    `indices` is the index space, in the order of the loop nest: every index that
    occurs free. Those of the subscripts are the free ones of the result; the
    others are bound: reduced over with the operator. Where `partial`, an element
    outside the target's axes takes nothing: `(T[t+k] else 0) += e`.
    """

    target: str
    subscripts: tuple[Expression, ...]
    operator: Operator
    value: Expression
    indices: tuple[str, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    partial: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """The body once for each value of `index`, upward or (`down`) downward."""

    index: str
    down: bool
    body: tuple[Step, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


Step = Statement | Scan


@dataclass(frozen=True, slots=True)
class Index:
    """An index. `declared` is its extent as typed, None where it was inferred.

    `extent` is what it comes to: a `Number`, or an expression of `Extent`s of
    root symbols that only data fix. `fixed` is the place that fixes it: a declaration,
    a literal, the input whose data will, or the subscript that leaves it this range.
    """

    name: str
    declared: Expression | None
    extent: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)
    fixed: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Let:
    """`let name = value`, overrides applied."""

    name: str
    value: Expression
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Draw:
    """`~ distribution(arguments)`; arguments are constant expressions."""

    distribution: str
    arguments: tuple[Expression, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Elements:
    """Elements given in the file, nested as the axes are."""

    items: tuple[Expression | Elements, ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor of the program.

    `axes` are the index names of its declaration (of a value: None for each axis).
    `extents` are the axes' extents, in the form of `Index.extent`. `initial` is an
    input's literal, what a param or state starts from, or what a draw is drawn from
    at every step; `member` the index of
    `input t[b] in ŷ`; `source` what stands after `from`.
    """

    name: str
    kind: Kind
    extents: tuple[Expression, ...]
    axes: tuple[str, ...] = ()
    integer: bool = False
    member: str | None = None
    initial: Draw | Elements | Expression | None = None
    source: str | None = None
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Objective:
    """`minimize loss`: a scalar tensor, or one over the batch index, then its mean is meant.

    `over` are the params that it is minimized over, None where they are all of them;
    `after` is how many of the program's updates stand before it.
    """

    sense: Literal["minimize", "maximize"]
    tensor: str
    over: tuple[str, ...] | None = None
    after: int = 0
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Train:
    """The `train` line: its optimizer (None where the file has its own updates) and options."""

    optimizer: str | None
    settings: tuple[tuple[str, Expression], ...]
    options: tuple[tuple[str, Expression], ...]
    span: Span = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Program:
    """A checked program.

    `batch` names the batch index. `extents` are the names that declarations gave
    to extents (`B`), each with the expression it comes to. `updates` stand after
    the first objective and run once a step, in order; they may rewrite params and state.
    `cotangent` is the suffix of this program's cotangents (`.grad`, or `.grad2`
    where the forward statements have `.grad` tensors of their own).
    """

    indices: tuple[Index, ...] = ()
    batch: str | None = None
    extents: tuple[tuple[str, Expression], ...] = ()
    lets: tuple[Let, ...] = ()
    tensors: tuple[Tensor, ...] = ()
    statements: tuple[Step, ...] = ()
    objectives: tuple[Objective, ...] = ()
    reports: tuple[Statement, ...] = ()
    updates: tuple[Step, ...] = ()
    train: Train | None = None
    dtype: Dtype | None = None
    cotangent: str = ".grad"
    spellings: tuple[tuple[str, str], ...] = field(default=(), compare=False, repr=False)
    # Filled at the first look-up: passes make many programs that nobody looks into.
    _tensors: dict[str, Tensor] = field(
        default_factory=dict[str, Tensor], init=False, compare=False, repr=False
    )
    _indices: dict[str, Index] = field(
        default_factory=dict[str, Index], init=False, compare=False, repr=False
    )
    _kinds: dict[Kind, tuple[Tensor, ...]] = field(
        default_factory=dict[Kind, tuple[Tensor, ...]], init=False, compare=False, repr=False
    )

    @property
    def objective(self) -> Objective | None:
        """The first objective: the one whose value is shown as the loss; None without any."""
        return self.objectives[0] if self.objectives else None

    @property
    def shown(self) -> tuple[str, ...]:
        """The scalars that training shows beside the loss: further objectives, then reports."""
        further = dict.fromkeys(objective.tensor for objective in self.objectives[1:])
        loss = [objective.tensor for objective in self.objectives[:1]]
        names = (name for name in further if name not in loss)
        return (*names, *(report.target for report in self.reports))

    def params_of(self, objective: Objective) -> tuple[str, ...]:
        """The params that an objective is over."""
        over = objective.over
        return tuple(t.name for t in self.of_kind("param") if over is None or t.name in over)

    @property
    def trained(self) -> tuple[str, ...]:
        """The params that some objective is over, in the order of their declaration."""
        found = {name for objective in self.objectives for name in self.params_of(objective)}
        return tuple(t.name for t in self.of_kind("param") if t.name in found)

    @property
    def sections(self) -> tuple[tuple[Step, ...], ...]:
        """The updates that stand after each objective; all of them in one without any."""
        starts = [objective.after for objective in self.objectives] or [0]
        ends = [*starts[1:], len(self.updates)]
        return tuple(self.updates[a:b] for a, b in zip(starts, ends, strict=True))

    _writers: dict[str, list[Step]] = field(
        default_factory=dict[str, list[Step]], init=False, compare=False, repr=False
    )

    def find_tensor(self, name: str) -> Tensor | None:
        """The tensor of that name, or None."""
        if not self._tensors:
            self._tensors.update((tensor.name, tensor) for tensor in reversed(self.tensors))
        return self._tensors.get(name)

    def find_index(self, name: str) -> Index | None:
        """The index of that name, or None."""
        if not self._indices:
            self._indices.update((index.name, index) for index in reversed(self.indices))
        return self._indices.get(name)

    def tensor(self, name: str) -> Tensor:
        """The tensor of that name; KeyError if there is none."""
        return _known(self.find_tensor(name), name)

    def index(self, name: str) -> Index:
        """The index of that name; KeyError if there is none."""
        return _known(self.find_index(name), name)

    def writers(self, name: str) -> Sequence[Step]:
        """The forward steps that write a tensor, a scan once for each write in it, in order."""
        if not self._writers:
            for step in self.statements:
                for statement in statements_of((step,)):
                    self._writers.setdefault(statement.target, []).append(step)
        return self._writers.get(name, ())

    def of_kind(self, kind: Kind) -> tuple[Tensor, ...]:
        """The tensors of a kind, in order."""
        found = self._kinds.get(kind)
        if found is None:
            found = tuple(tensor for tensor in self.tensors if tensor.kind == kind)
            self._kinds[kind] = found
        return found


def _known(item: _T | None, name: str) -> _T:
    if item is None:
        raise KeyError(name)
    return item


def statements_of(steps: tuple[Step, ...]) -> Iterator[Statement]:
    """Every statement of a block, those inside scans included, in order."""
    for step in steps:
        match step:
            case Statement():
                yield step
            case Scan():
                yield from statements_of(step.body)
