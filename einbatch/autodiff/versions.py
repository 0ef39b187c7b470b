"""One way of writing per tensor: earlier values become versions of their own.

Before:

    for b,i: h[b] += x[b,i]
    for b:   h[b] *= 1/|i|

After:

    for b,i: h_1[b] += x[b,i]
    for b:   h[b] = h_1[b]*(1/|i|)

Afterwards each tensor is set by one `=`, or summed up by `+=` and `-=` (after at
most one `=`). `*=`, `max=` and `min=` become reductions.
"""

from __future__ import annotations

from dataclasses import replace

from einbatch.ir.build import ONE, call, choose, fresh_index, fresh_tensor, multiply, names_of
from einbatch.ir.program import (
    Apply,
    Expression,
    Index,
    IndexValue,
    Number,
    Program,
    Read,
    Reduce,
    Statement,
    Step,
    statements_of,
)

ADDITIVE = ("=", "+=", "-=")
REDUCTION_OF = {"*=": "prod", "max=": "max", "min=": "min"}
IDENTITY: dict[str, Expression] = {
    "*=": ONE,
    "max=": call("neg", Number(float("inf"))),
    "min=": Number(float("inf")),
}


def separate_versions(program: Program) -> Program:
    """Renames earlier values, so that every tensor has one way of being written."""
    work = _Versions(program)
    steps = tuple(new for step in program.statements for new in work.step(step))
    return replace(
        program,
        statements=steps,
        tensors=tuple(work.tensors.values()),
        indices=(*program.indices, *work.indices),
    )


class _Versions:
    """Goes through the statements; `current` is each tensor's version so far."""

    def __init__(self, program: Program) -> None:
        self.taken = names_of(program)
        self.tensors = {tensor.name: tensor for tensor in program.tensors}
        self.indices: list[Index] = []
        self.current: dict[str, str] = {}
        self.last: dict[str, Statement] = {}
        self.breaks: dict[str, int] = {}
        self.scans: tuple[str, ...] = ()
        for statement in statements_of(program.statements):
            self.breaks.setdefault(statement.target, 0)
            self.breaks[statement.target] += self.is_break(statement)
            self.last[statement.target] = statement
        self.last.clear()

    def is_break(self, statement: Statement) -> bool:
        """True where the statement cannot go on as its tensor's last one began."""
        last = self.last.get(statement.target)
        if last is None:
            return False
        return last.operator not in ADDITIVE or statement.operator not in ADDITIVE

    def step(self, step: Step) -> list[Step]:
        if not isinstance(step, Statement):
            outer, self.scans = self.scans, (*self.scans, step.index)
            body = tuple(new for inner in step.body for new in self.step(inner))
            self.scans = outer
            return [replace(step, body=body)]
        new = self.statement(step)
        self.last[step.target] = step
        return list(new)

    def statement(self, statement: Statement) -> list[Statement]:
        name, additive = statement.target, statement.operator in ADDITIVE
        if name not in self.last:
            self.current[name] = self.version(name)
            if not additive:
                axes = self.axes(statement)
                return [self.set(statement, axes, self.reduced(statement, axes))]
        elif self.is_break(statement):
            return self.break_off(statement, additive=additive)
        return [replace(statement, target=self.current[name])]

    def break_off(self, statement: Statement, *, additive: bool) -> list[Statement]:
        """A new version: the old one, combined with what the statement gives."""
        name, axes = statement.target, self.axes(statement)
        subscripts = tuple(map(IndexValue, axes))
        old = Read(self.current[name], subscripts)
        if additive:
            self.current[name] = self.version(name)
            start = self.set(statement, axes, old)
            return [start, replace(statement, target=self.current[name])]
        value = self.reduced(statement, axes)
        if statement.operator == "*=":
            self.current[name] = self.version(name)
            return [self.set(statement, axes, multiply(old, value))]
        self.current[name] = part = self.entered(name)
        before = self.set(statement, axes, value)
        new = Read(part, subscripts)
        comparison = "ge" if statement.operator == "max=" else "le"
        self.current[name] = self.version(name)
        return [before, self.set(statement, axes, choose(call(comparison, old, new), old, new))]

    def version(self, name: str) -> str:
        """The name of the next version; the last one keeps the tensor's own."""
        if self.breaks[name] == 0:
            return name
        self.breaks[name] -= 1
        return self.entered(name)

    def entered(self, name: str) -> str:
        fresh = fresh_tensor(name, self.taken)
        self.tensors[fresh] = replace(self.tensors[name], name=fresh)
        return fresh

    def axes(self, statement: Statement) -> tuple[str, ...]:
        """An index for each axis of the target: its own bare ones, else new ones."""
        names: list[str] = []
        extents = self.tensors[statement.target].extents
        for subscript, extent in zip(statement.subscripts, extents, strict=True):
            if isinstance(subscript, IndexValue) and subscript.index not in names:
                names.append(subscript.index)
            else:
                name = fresh_index("k", self.taken)
                self.indices.append(Index(name, extent, extent, statement.span))
                names.append(name)
        return tuple(names)

    def reduced(self, statement: Statement, axes: tuple[str, ...]) -> Expression:
        """What the statement multiplies, or compares, an element with."""
        value = statement.value
        pairs = zip(statement.subscripts, map(IndexValue, axes), strict=True)
        tests = tuple(call("eq", given, axis) for given, axis in pairs if given != axis)
        if tests:
            condition = tests[0] if len(tests) == 1 else Apply("and", tests)
            value = choose(condition, value, IDENTITY[statement.operator])
        bound = tuple(name for name in statement.indices if name not in axes)
        if not bound:
            return value
        return Reduce(REDUCTION_OF[statement.operator], bound, value, statement.span)

    def set(self, statement: Statement, axes: tuple[str, ...], value: Expression) -> Statement:
        ordered = [name for name in statement.indices if name in axes]
        others = (name for name in axes if name not in ordered and name not in self.scans)
        indices = (*ordered, *others)
        subscripts = tuple(map(IndexValue, axes))
        target = self.current[statement.target]
        return Statement(target, subscripts, "=", value, indices, statement.span)
