"""One objective: the forward statements, the seed, the backward statements.

Before:

    for b,i,j: h[b,j] += W[j,i]*x[b,i]

After, where both W and x have a cotangent:

    for b,i,j: h[b,j] += W[j,i]*x[b,i]
    …
    for b,i,j: x.grad[b,i] += h.grad[b,j]*W[j,i]
    for b,i,j: W.grad[j,i] += 1/B*h.grad[b,j]*x[b,i]

The convention: `T.grad` is c_T times the derivative of the objective (the mean
loss, or the scalar itself) with respect to T, where c_T = B for a tensor with a
batched axis and 1 for any other. A contribution from O to T carries c_T/c_O.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from einbatch.autodiff.activity import differentiable_reads, find_active, find_reaching
from einbatch.autodiff.contribution import Coefficient, Contribution, written
from einbatch.autodiff.hoist import hoist_nested
from einbatch.autodiff.pull import Pull
from einbatch.autodiff.rounds import combine_rounds
from einbatch.autodiff.versions import separate_versions
from einbatch.diagnostics import deep_stack
from einbatch.elaborate.integers import mark_integers
from einbatch.ir.build import ONE, ZERO, names_of
from einbatch.ir.program import (
    Expression,
    Extent,
    Index,
    IndexValue,
    Program,
    Read,
    Scan,
    Statement,
    Step,
    Tensor,
    statements_of,
)
from einbatch.ir.traverse import free_indices, walk
from einbatch.optimize.simplify import simplify as simplify_program


@dataclass(frozen=True, slots=True)
class Derivation:
    """A derived program in its parts: `forward`, and what the backward statements add to it."""

    forward: Program
    backward: tuple[Step, ...]
    cotangents: tuple[Tensor, ...]
    indices: tuple[Index, ...]


@deep_stack()
def derive(program: Program, asked: tuple[str, ...], *, simplify: bool) -> Derivation:
    """The seed and the backward statements of a program's one objective.

    `asked` are the tensors that get a cotangent whether the objective reaches them or
    not. Raises EinbatchError where something has no derivative.
    """
    found = _Differentiation(program, asked, textbook=simplify).run()
    if not simplify:
        return found
    steps = simplify_program(replace(found.forward, statements=found.backward)).statements
    return replace(found, backward=steps)


class _Differentiation:
    def __init__(self, program: Program, asked: tuple[str, ...], *, textbook: bool) -> None:
        program = separate_versions(combine_rounds(program))
        assert program.objective is not None
        self.asked = asked
        self.target = program.objective.tensor
        differentiated = find_active(program, asked) & find_reaching(program, self.target)
        kept = [name for name in asked if program.tensor(name).kind == "value"]
        self.program = program = mark_integers(hoist_nested(program, differentiated, kept))
        self.suffix = program.cotangent
        self.active = find_active(program, asked)
        self.reaching = find_reaching(program, self.target)
        writes = Counter(statement.target for statement in statements_of(program.statements))
        self.pull = Pull(program, self.active, kept, names_of(program), textbook, writes)
        self.started: set[str] = set()
        self.places: dict[str, Tensor] = {}

    def run(self) -> Derivation:
        program = self.program
        backward: list[Step] = [self.seed(), *self.adjoints(program.statements, ())]
        backward += self.unreached()
        targets = list(dict.fromkeys(s.target for s in statements_of(tuple(backward))))
        cotangents = tuple(self.cotangent_tensor(name) for name in targets)
        written = {statement.target for statement in statements_of(program.statements)}
        used = tuple(t for t in program.tensors if t.kind != "value" or t.name in written)
        forward = replace(program, tensors=used, objectives=(), reports=(), updates=(), train=None)
        return Derivation(forward, tuple(backward), cotangents, self.used_indices(backward))

    def adjoints(self, steps: tuple[Step, ...], scans: tuple[str, ...]) -> Iterator[Step]:
        """The adjoint of each step, the last one first; a scan's is the scan the other way."""
        for step in reversed(steps):
            if isinstance(step, Statement):
                yield from self.adjoint(step, scans)
                continue
            yield from self.begun(step)
            body = tuple(self.adjoints(step.body, (*scans, step.index)))
            if body:
                yield replace(step, down=not step.down, body=body)

    def begun(self, scan: Scan) -> Iterator[Statement]:
        """Zeros for cotangents that only a later round writes, and that the first round reads."""
        started = set(self.started)
        for statement in reversed(list(statements_of(scan.body))):
            if statement.target not in self.active & self.reaching:
                continue
            if statement.target not in started:
                yield self.zeros(statement.target)
                started.add(statement.target)
                self.started.add(statement.target)
            started |= {read.tensor for read in differentiable_reads(statement.value)}

    def used_indices(self, backward: list[Step]) -> tuple[Index, ...]:
        used: set[str] = set()
        for statement in statements_of(tuple(backward)):
            for expression in (*statement.subscripts, statement.value):
                used |= _mentioned(expression)
        return tuple(index for index in self.pull.indices if index.name in used)

    def seed(self) -> Statement:
        """The cotangent of the objective: 1 for each example."""
        axes = self.axes(self.target)
        subscripts = tuple(map(IndexValue, axes))
        objective = self.program.objective
        assert objective is not None
        self.started.add(self.target)
        return Statement(self.name(self.target), subscripts, "=", ONE, axes, objective.span)

    def adjoint(self, statement: Statement, scans: tuple[str, ...]) -> Iterator[Statement]:
        """One accumulation for each use of an active tensor, the last use first."""
        wanted = statement.target in self.active and statement.target in self.reaching
        if not wanted or statement.target not in self.started:
            return
        guard = ZERO if statement.partial else None
        cotangent = Read(self.name(statement.target), statement.subscripts, guard)
        contributions = list(self.pull.statement(statement, cotangent, scans))
        for place in self.pull.places[len(self.places) :]:
            self.places[place.tensor.name] = place.tensor
            yield replace(place.statement, span=statement.span)
        for contribution in reversed(contributions):
            is_zero = ("*", ZERO) in contribution.flow.factors
            if contribution.read.tensor in self.active and not is_zero:
                yield self.accumulation(statement, contribution, scans)

    def accumulation(
        self, statement: Statement, contribution: Contribution, scans: tuple[str, ...]
    ) -> Statement:
        read, flow = contribution.read, contribution.flow
        coefficient = self.coefficient(read.tensor, statement.target)
        first = written(flow, Coefficient(), ())
        occurring = tuple(i for i in free_indices(*read.subscripts, first) if i not in scans)
        kept = free_indices(*statement.subscripts)
        summed = [i for i in statement.indices if i not in kept] + list(flow.indices)
        repeated = tuple(self.pull.extent(i) for i in summed if i not in occurring)
        value = written(flow, coefficient, repeated)
        order = [*statement.indices, *flow.indices]
        indices = tuple(i for i in order if i in occurring)
        indices += tuple(i for i in occurring if i not in indices)
        self.started.add(read.tensor)
        operator = "-=" if flow.negative else "+="
        name = self.name(read.tensor)
        partial = read.otherwise is not None
        return Statement(name, read.subscripts, operator, value, indices, statement.span, partial)

    def coefficient(self, operand: str, output: str) -> Coefficient:
        """c_T/c_O: the batch extent above or below, or nothing."""
        batched, from_batched = self.is_batched(operand), self.is_batched(output)
        if batched == from_batched:
            return Coefficient()
        assert self.program.batch is not None
        extent = self.pull.extent(self.program.batch)
        return Coefficient(above=extent) if batched else Coefficient(below=extent)

    def is_batched(self, name: str) -> bool:
        """True where the extent of an axis depends on the batch extent."""
        if self.program.batch is None:
            return False
        symbol = self.program.index(self.program.batch).extent
        extents = self.program.tensor(name).extents
        return any(node == symbol for extent in extents for node in walk(extent))

    def unreached(self) -> Iterator[Statement]:
        """Zeros for what was asked for and the objective does not depend on."""
        for name in self.asked:
            if name not in self.started:
                yield self.zeros(name)

    def zeros(self, name: str) -> Statement:
        """The cotangent of a tensor, set to zero."""
        axes = self.axes(name)
        subscripts = tuple(map(IndexValue, axes))
        span = self.program.tensor(name).span
        return Statement(self.name(name), subscripts, "=", ZERO, axes, span)

    def axes(self, name: str) -> tuple[str, ...]:
        """An index for each axis: the declared ones, else those of a statement that writes it."""
        tensor = self.program.tensor(name)
        if tensor.kind != "value":
            return tensor.axes
        names: list[str] = []
        for extent in tensor.extents:
            known = (*self.program.indices, *self.pull.indices)
            fitting = [i.name for i in known if i.extent == extent and i.name not in names]
            if fitting:
                names.append(fitting[0])
            else:
                index = Index(self.fresh(), extent, extent, tensor.span)
                self.pull.indices.append(index)
                names.append(index.name)
        return tuple(names)

    def fresh(self) -> str:
        number = 1
        while (name := f"k_{number}") in self.pull.taken:
            number += 1
        self.pull.taken.add(name)
        return name

    def name(self, tensor: str) -> str:
        return tensor + self.suffix

    def cotangent_tensor(self, name: str) -> Tensor:
        if name in self.places:
            return self.places[name]
        tensor = self.program.tensor(name.removesuffix(self.suffix))
        return Tensor(name, "value", tensor.extents, span=tensor.span)


def _mentioned(expression: Expression) -> set[str]:
    """Every index that an expression uses, binds or takes the extent of."""
    found: set[str] = set()
    for node in walk(expression):
        match node:
            case IndexValue(index=index):
                found.add(index)
            case Extent(name=name):
                found.add(name)
            case _:
                found.update(getattr(node, "indices", ()))
    return found
