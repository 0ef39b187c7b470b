"""Program → tree: the canonical order, every loop list written out."""

from __future__ import annotations

import math
from typing import assert_never

from einbatch.diagnostics import InternalError, deep_stack
from einbatch.ir import (
    Apply,
    Constant,
    Draw,
    Elements,
    Expression,
    Extent,
    IndexValue,
    Number,
    Program,
    Read,
    Reduce,
    Scan,
    Statement,
    Step,
    Tensor,
)
from einbatch.syntax import nodes as tree

_COMPARISONS: dict[str, tree.Comparison] = {
    "eq": "=",
    "ne": "!=",
    "lt": "<",
    "le": "<=",
    "gt": ">",
    "ge": ">=",
}


@deep_stack()
def erase(program: Program) -> tree.Tree:
    """The tree that elaborates to the program: declarations, statements, objective, updates."""
    eraser = _Eraser(program)
    return tree.Tree(tuple(eraser.statements()))


@deep_stack()
def erase_statement(program: Program, statement: Statement) -> tree.For | tree.Assign:
    """The tree of one statement of a program."""
    return _Eraser(program).statement(statement)


GIVEN = ("training",)
"""Tensors that whoever runs a program gives, without a declaration."""


class _Eraser:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.spellings = dict(program.spellings)
        self.extents = {name for name, _ in program.extents}

    def statements(self) -> list[tree.Statement]:
        program = self.program
        found: list[tree.Statement] = []
        if program.dtype is not None:
            found.append(tree.Dtype(program.dtype))
        found += [tree.Let(self.name(let.name), self.expression(let.value)) for let in program.lets]
        found += self.indices()
        found += [self.tensor(tensor) for tensor in program.tensors if self.is_declared(tensor)]
        found += [self.step(step) for step in program.statements]
        found += self.objectives()
        if program.train is not None:
            settings = tuple(self.option(*pair) for pair in program.train.settings)
            options = tuple(self.option(*pair) for pair in program.train.options)
            found.append(tree.Train(program.train.optimizer, settings, options))
        return found

    def objectives(self) -> list[tree.Statement]:
        """Each objective, and the updates that stand after it; the reports after the first."""
        program = self.program
        found: list[tree.Statement] = []
        reports: list[tree.Statement] = [self.report(report) for report in program.reports]
        begin = 0
        for objective in program.objectives:
            found += [self.step(step) for step in program.updates[begin : objective.after]]
            begin = objective.after
            over = tuple(self.name(name) for name in objective.over or ())
            target = tree.Name(self.name(objective.tensor))
            found.append(tree.Minimize(objective.sense, target, over=over))
            found, reports = [*found, *reports], []
        found += reports
        return found + [self.step(step) for step in program.updates[begin:]]

    def name(self, key: str) -> tree.Identifier:
        if key in self.spellings:
            return tree.Identifier(key, self.spellings[key])
        base, dot, level = key.rpartition(".grad")
        spelling = self.spellings.get(base, base) + dot + level if dot else key
        return tree.Identifier(key, spelling)

    def option(self, name: str, value: Expression) -> tree.Option:
        return tree.Option(name, self.expression(value))

    def is_declared(self, tensor: Tensor) -> bool:
        return tensor.kind != "value" and tensor.name not in GIVEN

    def indices(self) -> list[tree.Statement]:
        found: list[tree.Statement] = []
        groups: list[tree.IndexGroup] = []
        for index in self.program.indices:
            extent = None if index.declared is None else self.expression(index.declared)
            if index.name == self.program.batch:
                found.append(tree.Batch(self.name(index.name), extent))
            elif extent is not None and groups and groups[-1].extent == extent:
                names = (*groups[-1].names, self.name(index.name))
                groups[-1] = tree.IndexGroup(names, extent)
            elif extent is not None:
                groups.append(tree.IndexGroup((self.name(index.name),), extent))
        if groups:
            found.append(tree.Indices(tuple(groups)))
        return found

    def tensor(self, tensor: Tensor) -> tree.Statement:
        name = self.name(tensor.name)
        axes = tuple(self.name(axis) for axis in tensor.axes)
        initial = tensor.initial
        if tensor.kind == "input":
            member = None if tensor.member is None else self.name(tensor.member)
            literal = None if initial is None else self.initial(initial)
            return tree.Input(name, axes, member, literal, tensor.source)
        if isinstance(initial, Draw):
            if tensor.kind == "draw":
                return self.sample(tensor, initial)
            return tree.Param(name, axes, self.draw(initial))
        if initial is None:
            raise InternalError(f"{tensor.name} has no initial value")
        kind = tree.Param if tensor.kind == "param" else tree.State
        return kind(name, axes, self.initial(initial))

    def draw(self, draw: Draw) -> tree.Draw:
        arguments = tuple(self.expression(argument) for argument in draw.arguments)
        return tree.Draw(draw.distribution, arguments)

    def sample(self, tensor: Tensor, draw: Draw) -> tree.For | tree.Sample:
        axes = tuple(self.name(axis) for axis in tensor.axes)
        name = self.name(tensor.name)
        if not axes:
            return tree.Sample(tree.Name(name), self.draw(draw))
        target = tree.Access(name, tuple(tree.Name(axis) for axis in axes))
        return tree.For(axes, (tree.Sample(target, self.draw(draw)),))

    def initial(self, initial: Draw | Elements | Expression) -> tree.Expression | tree.Elements:
        match initial:
            case Draw():
                raise InternalError("an input or a state has no distribution")
            case Elements(items=items):
                return tree.Elements(tuple(self.initial(item) for item in items))
            case _:
                return self.expression(initial)

    def step(self, step: Step) -> tree.Scan | tree.For | tree.Assign:
        if isinstance(step, Scan):
            body = tuple(self.step(inner) for inner in step.body)
            return tree.Scan(self.name(step.index), step.down, body, step.span)
        return self.statement(step)

    def statement(self, statement: Statement) -> tree.For | tree.Assign:
        target: tree.Access | tree.Name = tree.Name(self.name(statement.target))
        if statement.subscripts:
            subscripts = tuple(self.expression(item) for item in statement.subscripts)
            target = tree.Access(self.name(statement.target), subscripts)
        value = self.expression(statement.value)
        assign = tree.Assign(
            target, statement.operator, value, statement.span, partial=statement.partial
        )
        if not statement.indices:
            return assign
        indices = tuple(self.name(index) for index in statement.indices)
        return tree.For(indices, (assign,), statement.span)

    def report(self, statement: Statement) -> tree.Report:
        return tree.Report(self.name(statement.target), self.expression(statement.value))

    def expression(self, expression: Expression) -> tree.Expression:
        match expression:
            case Number(value=value):
                return self.number(value)
            case Constant(name=name):
                return tree.Name(self.name(name))
            case IndexValue(index=index):
                return tree.Name(self.name(index))
            case Extent(name=name) if name in self.extents:
                return tree.Name(self.name(name))
            case Extent(name=name):
                return tree.ExtentOf(self.name(name))
            case Read(tensor=tensor, subscripts=()):
                return tree.Name(self.name(tensor))
            case Read(tensor=tensor, subscripts=subscripts, otherwise=otherwise):
                access = tree.Access(self.name(tensor), tuple(map(self.expression, subscripts)))
                if otherwise is None:
                    return access
                return tree.Otherwise(access, self.expression(otherwise))
            case Reduce(reduction=reduction, indices=indices, body=body):
                names = tuple(self.name(index) for index in indices)
                return tree.Reduction(reduction, names, self.expression(body))
            case Apply():
                return self.apply(expression)
            case _:
                assert_never(expression)

    def number(self, value: int | float) -> tree.Expression:
        if value < 0:
            raise InternalError(f"{value} is not canonical: a negative number is a negation")
        if value in (math.inf, math.pi):
            return tree.Name(tree.Identifier("inf" if value == math.inf else "pi"))
        return tree.Number(repr(value))

    def apply(self, node: Apply) -> tree.Expression:
        if node.primitive == "add":
            first, *rest = node.arguments
            return tree.Sum((("+", self.expression(first)), *map(self.term, rest)))
        if node.primitive in ("mul", "div"):
            return tree.Product(self.factors(node))
        parts = tuple(self.expression(argument) for argument in node.arguments)
        match node.primitive, parts:
            case "ne", (tree.Name(identifier=tree.Identifier(key="training")) as training, _):
                return training
            case "neg", (operand,):
                return tree.Negate(operand)
            case "pow", (base, exponent):
                return tree.Power(base, exponent)
            case ("and" | "or") as operator, _:
                return tree.Logic(operator, parts)
            case "not", (operand,):
                return tree.Not(operand)
            case "iverson", (condition,):
                return tree.Iverson(condition)
            case "select", (condition, consequent, alternative):
                return tree.If(condition, consequent, alternative)
            case primitive, (left, right) if primitive in _COMPARISONS:
                return tree.Compare(_COMPARISONS[primitive], left, right)
            case function, _:
                return tree.Call(function, parts)

    def term(self, term: Expression) -> tuple[tree.Sign, tree.Expression]:
        match term:
            case Apply(primitive="neg", arguments=(operand,)):
                return ("-", self.expression(operand))
            case _:
                return ("+", self.expression(term))

    def factors(self, node: Apply) -> tuple[tuple[tree.ProductSign, tree.Expression], ...]:
        """`mul(div(a, b), c)` as `a/b*c`: only what is read back the same is flattened."""
        match node:
            case Apply(primitive="div", arguments=(numerator, divisor)):
                return (*self.start(numerator, ("mul", "div")), ("/", self.expression(divisor)))
            case _:
                first, *rest = node.arguments
                others = tuple(("*", self.expression(factor)) for factor in rest)
                return (*self.start(first, ("div",)), *others)  # pyright: ignore[reportReturnType]

    def start(
        self, first: Expression, flattened: tuple[str, ...]
    ) -> tuple[tuple[tree.ProductSign, tree.Expression], ...]:
        if isinstance(first, Apply) and first.primitive in flattened:
            return self.factors(first)
        return (("*", self.expression(first)),)
