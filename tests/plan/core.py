"""Programs of the core language, written in short: for what the plan makes of them.

An expression is Python's notation: `K[u]*other(x[t + u - 1], 0)`, `sum(e, u, v)`,
`when(c, a, b)`, `bracket(t <= s)`, `extent(i)`. A statement is `y[t] += …`, or, where
elements outside take nothing, `~y[t + 1] += …`.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from einbatch.backends.numpy import emit, load
from einbatch.ir import (
    REDUCTIONS,
    Apply,
    Expression,
    Extent,
    Index,
    IndexValue,
    Number,
    Program,
    Read,
    Reduce,
    Scan,
    Statement,
    Step,
    Tensor,
    free_indices,
    statements_of,
    verify,
)
from einbatch.loops import run
from einbatch.plan import Plan, plan

BINARY = {ast.Add: "add", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow", ast.Mod: "mod"}
COMPARISON = {
    ast.Eq: "eq",
    ast.NotEq: "ne",
    ast.Lt: "lt",
    ast.LtE: "le",
    ast.Gt: "gt",
    ast.GtE: "ge",
}
CALLS = {"when": "select", "bracket": "iverson"}


@dataclass(frozen=True)
class Loop:
    """`scan index:` over a body of statements and scans."""

    index: str
    body: Sequence[str | Loop]
    down: bool = False


def down(index: str, *body: str | Loop) -> Loop:
    return Loop(index, body, True)


def scan(index: str, *body: str | Loop) -> Loop:
    return Loop(index, body)


class Reader:
    """Reads expressions; index names are those given."""

    def __init__(self, indices: Mapping[str, int]) -> None:
        self.indices = indices

    def expression(self, node: ast.expr) -> Expression:
        match node:
            case ast.Constant(value=value):
                return Number(value)
            case ast.Name(id="inf"):
                return Number(float("inf"))
            case ast.Name(id=name):
                return IndexValue(name) if name in self.indices else Read(name, ())
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return Apply("neg", (self.expression(inner),))
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                negative = Apply("neg", (self.expression(right),))
                return Apply("add", (self.expression(left), negative))
            case ast.BinOp(left=left, op=op, right=right):
                return Apply(BINARY[type(op)], (self.expression(left), self.expression(right)))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return Apply(COMPARISON[type(op)], (self.expression(left), self.expression(right)))
            case ast.Subscript(value=ast.Name(id=name), slice=inside):
                parts = inside.elts if isinstance(inside, ast.Tuple) else [inside]
                return Read(name, tuple(self.expression(part) for part in parts))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self.call(name, arguments)
            case _:
                raise ValueError(ast.dump(node))

    def call(self, name: str, arguments: list[ast.expr]) -> Expression:
        if name == "extent":
            (index,) = arguments
            assert isinstance(index, ast.Name)
            return Extent(index.id)
        parts = [self.expression(argument) for argument in arguments]
        if name == "other":
            read, otherwise = parts
            assert isinstance(read, Read)
            return Read(read.tensor, read.subscripts, otherwise)
        if name in REDUCTIONS and all(isinstance(part, IndexValue) for part in parts[1:]):
            names = tuple(part.index for part in parts[1:] if isinstance(part, IndexValue))
            if names:
                return Reduce(name, names, parts[0])
        return Apply(CALLS.get(name, name), tuple(parts))

    def statement(self, text: str, scanned: tuple[str, ...]) -> Statement:
        partial = text.startswith("~")
        operator = next(o for o in (" += ", " -= ", " *= ", " max= ", " min= ", " = ") if o in text)
        left, right = text.lstrip("~").split(operator, 1)
        target = self.expression(ast.parse(left.strip(), mode="eval").body)
        value = self.expression(ast.parse(right.strip(), mode="eval").body)
        assert isinstance(target, Read)
        names = free_indices(*target.subscripts, value)
        indices = tuple(name for name in names if name not in scanned)
        return Statement(
            target.tensor, target.subscripts, operator.strip(), value, indices, partial=partial
        )

    def steps(self, items: Sequence[str | Loop], scanned: tuple[str, ...] = ()) -> tuple[Step, ...]:
        return tuple(
            self.statement(item, scanned)
            if isinstance(item, str)
            else Scan(item.index, item.down, self.steps(item.body, (*scanned, item.index)))
            for item in items
        )


def build(
    indices: Mapping[str, int],
    shapes: Mapping[str, tuple[int, ...]],
    *items: str | Loop,
    integer: Mapping[str, int] | None = None,
    draws: Sequence[str] = (),
) -> Program:
    """A program: what is not written is an input; `integer` are inputs below an extent."""
    steps = Reader(indices).steps(items)
    written = {statement.target for statement in statements_of(steps)}
    members = {} if integer is None else integer
    axes = {n: Index(f"axis{n}", Number(n), Number(n)) for s in shapes.values() for n in s}
    axes |= {n: Index(f"axis{n}", Number(n), Number(n)) for n in members.values()}
    tensors = [
        Tensor(
            name,
            "value" if name in written else "draw" if name in draws else "input",
            tuple(Number(n) for n in shape),
            axes=() if name in written else tuple(axes[n].name for n in shape),
            integer=name in members,
            member=axes[members[name]].name if name in members else None,
        )
        for name, shape in shapes.items()
    ]
    own = [Index(name, Number(n), Number(n)) for name, n in indices.items()]
    program = Program((*own, *axes.values()), tensors=tuple(tensors), statements=steps)
    assert verify(program) == []
    return program


def arrays_of(program: Program, seed: int = 0) -> dict[str, np.ndarray]:
    draws = np.random.default_rng(seed)
    extents = extents_of(program)
    arrays: dict[str, np.ndarray] = {}
    for tensor in program.tensors:
        if tensor.kind != "value":
            shape = tuple(extents[axis] for axis in tensor.axes)
            below = extents[tensor.member] if tensor.member else 0
            arrays[tensor.name] = (
                draws.integers(0, below, shape) if below else draws.normal(0, 1, shape)
            )
    return arrays


def extents_of(program: Program) -> dict[str, int]:
    return {index.name: int(index.extent.value) for index in program.indices}


def plan_of(program: Program, dtype: str = "float64", outputs: Sequence[str] | None = None) -> Plan:
    return plan(program, extents_of(program), dtype=dtype, outputs=outputs)


def check(program: Program, arrays: Mapping[str, np.ndarray] | None = None) -> Plan:
    """The plan, once what it computes is what the loop nest does, twice over."""
    arrays = arrays_of(program) if arrays is None else arrays
    expected = run(program, arrays, extents_of(program))
    before = {name: array.copy() for name, array in arrays.items()}
    made = plan_of(program)
    source = emit(made)
    runner = load(source, made)
    for _ in range(2):
        found = runner.run(arrays)
        for name, array in found.items():
            scale = 1 + np.max(np.abs(np.where(np.isfinite(array), array, 0)), initial=0)
            same = np.allclose(array, expected[name], rtol=1e-12, atol=1e-12 * scale)
            assert same, f"{name}\n{source}\n{array}\n{expected[name]}"
    for name, array in arrays.items():
        assert np.array_equal(array, before[name]), f"{name} was changed"
    return made
