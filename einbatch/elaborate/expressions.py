"""Expressions of the tree, checked and resolved to the core language."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Literal, assert_never

from einbatch.diagnostics import EinbatchError, Span, fail
from einbatch.elaborate.attempts import Attempts, each
from einbatch.elaborate.scope import TENSORS, WORDS, Scope, Symbol, place
from einbatch.elaborate.wording import counted
from einbatch.ir import (
    FUNCTIONS,
    PRIMITIVES,
    REDUCTIONS,
    Apply,
    Constant,
    Expression,
    Extent,
    IndexValue,
    Number,
    Read,
    Reduce,
    Tensor,
)
from einbatch.ir.build import ZERO
from einbatch.ir.verify import is_condition
from einbatch.syntax import nodes as tree

COMPARISONS: dict[str, str] = {
    "=": "eq",
    "!=": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
}
RankOf = Callable[[tree.Identifier, int | None], None]
"""Called for each read tensor with the number of subscripts; raises where that is wrong."""


def number_value(node: tree.Number) -> int | float:
    """The value of a literal: an integer where it is written as one."""
    return int(node.text) if node.text.isdigit() else float(node.text)


class Resolver:
    """Resolves the expressions of one program against its scope.

    `check_read` is asked for every tensor that is read, before anything else.
    """

    def __init__(self, scope: Scope, check_read: RankOf) -> None:
        self.scope = scope
        self.check_read = check_read
        self.training: Symbol | None = None

    def number(self, node: tree.Expression) -> Expression:
        """An expression that must be a number."""
        result = self.expression(node)
        if is_condition(result):
            raise fail(
                "E0414",
                "a condition stands where a number is needed",
                (node.span, "true or false"),
                help="write `[…]` around it: 1 where it holds, else 0",
            )
        return result

    def numbers(self, nodes: Iterable[tree.Expression]) -> tuple[Expression, ...]:
        """Expressions that must be numbers; the errors of all of them together."""
        return each(self.number, nodes)

    def condition(self, node: tree.Expression) -> Expression:
        """An expression that must be a condition; `training` is one where nothing declares it."""
        match node:
            case tree.Name(identifier=tree.Identifier(key="training")) if self.scope.find(
                "training"
            ) in (None, self.training):
                return self.in_training(node.identifier)
            case _:
                result = self.expression(node)
        if not is_condition(result):
            raise fail(
                "E0415",
                "a number stands where a condition is needed",
                (node.span, "a number"),
                help="compare it with something: `… != 0`",
            )
        return result

    def in_training(self, identifier: tree.Identifier) -> Expression:
        """True in a training step: a number that whoever runs the program gives."""
        if self.training is None:
            self.scope.declare("draw", identifier)
            self.training = self.scope.find("training")
        return Apply("ne", (Read("training", (), None, identifier.span), ZERO), identifier.span)

    def given(self) -> tuple[Tensor, ...]:
        """The tensors that whoever runs the program gives, without a declaration."""
        if self.training is None:
            return ()
        return (Tensor("training", "draw", (), span=self.training.identifier.span),)

    def expression(self, node: tree.Expression) -> Expression:
        """Any expression, number or condition."""
        span = node.span
        match node:
            case tree.Number():
                return Number(number_value(node), span)
            case tree.Name(identifier=identifier):
                return self.name(identifier, span)
            case tree.ExtentOf(index=index):
                return Extent(self.index(index), span)
            case tree.Access():
                return self.access(node)
            case tree.Sum() | tree.Product() | tree.Negate() | tree.Power():
                return self.arithmetic(node)
            case tree.Call():
                return self.call(node)
            case tree.Reduction(operator=operator, indices=indices, body=body):
                return self.reduction(operator, indices, body, span)
            case tree.If(condition=condition, consequent=consequent, alternative=alternative):
                parts = (
                    (self.condition, condition),
                    (self.number, consequent),
                    (self.number, alternative),
                )
                return Apply("select", each(lambda part: part[0](part[1]), parts), span)
            case tree.Compare(operator=operator, left=left, right=right):
                return Apply(COMPARISONS[operator], self.numbers((left, right)), span)
            case tree.Logic(operator=operator, operands=operands):
                return Apply(operator, each(self.condition, operands), span)
            case tree.Not(operand=operand):
                return Apply("not", (self.condition(operand),), span)
            case tree.Iverson(condition=condition):
                return Apply("iverson", (self.condition(condition),), span)
            case tree.Otherwise(read=read, alternative=alternative):
                found = self.access(read)
                assert isinstance(found, Read)
                return replace(found, otherwise=self.number(alternative), span=span)
            case _:
                assert_never(node)

    def name(self, identifier: tree.Identifier, span: Span) -> Expression:
        """A name that stands alone."""
        key = identifier.key
        symbol = self.scope.find(key)
        if symbol is None:
            if key in ("inf", "pi"):
                return Number(math.inf if key == "inf" else math.pi, span)
            if key in FUNCTIONS:
                raise self.scope.unknown(identifier, "is a function; it takes its argument in (…)")
            self.check_read(identifier, None)
            return Read(key, (), None, span)
        match symbol.meaning:
            case "constant":
                return Constant(key, span)
            case "extent":
                return Extent(key, span)
            case "index":
                return IndexValue(key, span)
            case "report":
                raise fail(
                    "E0204",
                    f"`{key}` is a report, which nothing can read",
                    (span, "read here"),
                    (symbol.identifier.span, "reported here"),
                    help="give the value a name by a statement, then read and report that",
                )
            case _:
                self.check_read(identifier, 0)
                return Read(key, (), None, span)

    def index(self, identifier: tree.Identifier) -> str:
        """A name that must be an index."""
        symbol = self.scope.find(identifier.key)
        if symbol is None:
            raise self.scope.unknown(
                identifier, "is not an index", ("index",), "`index {} < …`, or subscript with it"
            )
        if symbol.meaning != "index":
            raise not_an_index(self.scope, identifier)
        return identifier.key

    def access(self, node: tree.Access) -> Expression:
        """`T[…]`, read."""
        symbol = self.scope.find(node.tensor.key)
        if symbol is not None and symbol.meaning not in TENSORS:
            raise fail(
                "E0207",
                f"`{node.tensor.key}` is {WORDS[symbol.meaning]}, which takes no subscripts",
                (node.span, "subscripted here"),
                (symbol.identifier.span, f"{WORDS[symbol.meaning]} here"),
                help="subscripts are for tensors",
            )
        return Read(node.tensor.key, self.subscripts(node.tensor, node.subscripts), None, node.span)

    def subscripts(
        self, tensor: tree.Identifier, nodes: tuple[tree.Expression, ...]
    ) -> tuple[Expression, ...]:
        """The subscripts of a tensor, one for each of its axes."""
        work = Attempts()
        work.attempt(lambda: self.check_read(tensor, len(nodes)))
        found = work.attempt(lambda: each(self.subscript, nodes))
        work.stop_on_errors()
        return found or ()

    def subscript(self, node: tree.Expression) -> Expression:
        """A subscript, which must be a number; that it is an integer is checked later.

        `mod(e)` and `clamp(e)` as a whole wrap and clamp; their axis is put in later.
        """
        match node:
            case tree.Call(function=("mod" | "clamp") as function, arguments=(argument,)):
                return Apply(function, (self.number(argument),), node.span)
            case tree.Name(identifier=identifier):
                symbol = self.scope.find(identifier.key)
                if symbol is not None and symbol.meaning in TENSORS and symbol.rank > 0:
                    raise not_an_index(self.scope, identifier)
            case _:
                pass
        return self.number(node)

    def call(self, node: tree.Call) -> Expression:
        """A function of its arguments."""
        primitive = PRIMITIVES.get(node.function)
        if primitive is None or not primitive.function:
            name = tree.Identifier(node.function, node.function, node.span)
            raise self.scope.unknown(name, "is not a function")
        if len(node.arguments) != primitive.arity:
            raise fail(
                "E0205",
                f"`{node.function}` takes {counted(primitive.arity or 2, 'argument')}, "
                f"and gets {len(node.arguments)}",
                (node.span, "called here"),
                help=_reduction_hint(node.function),
            )
        return Apply(node.function, self.numbers(node.arguments), node.span)

    def reduction(
        self,
        operator: str,
        indices: tuple[tree.Identifier, ...],
        body: tree.Expression,
        span: Span,
    ) -> Expression:
        """A reduction over indices, each of them once."""
        work = Attempts()
        names = work.attempt(lambda: each(self.index, indices)) or ()
        value = work.attempt(lambda: self.number(body))
        if value is None or not names:
            raise EinbatchError(work.errors)
        for position, index in enumerate(indices):
            if index.key in names[:position]:
                raise _twice(index, indices[names.index(index.key)])
        if REDUCTIONS[operator].single and len(names) != 1:
            raise fail(
                "E0208",
                f"`{operator}` takes one index, and gets {len(names)}",
                (span, "more than one index has no single place"),
                help=f"nest them, or reduce over one index: `{operator}[{names[0]}](…)`",
            )
        return Reduce(operator, names, value, span)

    def arithmetic(self, node: tree.Sum | tree.Product | tree.Negate | tree.Power) -> Expression:
        """`+ - * / ^`: flat sums and products become primitives of many arguments."""
        match node:
            case tree.Sum(terms=terms):
                values = self.numbers(term for _, term in terms)
                parts = tuple(
                    _negated(value, term.span) if sign == "-" else value
                    for value, (sign, term) in zip(values, terms, strict=True)
                )
                return Apply("add", parts, node.span)
            case tree.Product(factors=factors):
                return self.product(factors, node.span)
            case tree.Negate(operand=operand):
                return Apply("neg", (self.number(operand),), node.span)
            case tree.Power(base=base, exponent=exponent):
                return Apply("pow", self.numbers((base, exponent)), node.span)

    def product(
        self, factors: tuple[tuple[Literal["*", "/"], tree.Expression], ...], span: Span
    ) -> Expression:
        """A product from left to right: `1/B*g*x` is `mul(div(1, B), g, x)`."""
        values = self.numbers(factor for _, factor in factors)
        run: list[Expression] = [values[0]]
        for value, (sign, _) in zip(values[1:], factors[1:], strict=True):
            if sign == "*":
                run.append(value)
            else:
                run = [Apply("div", (_multiplied(run, span), value), span)]
        return _multiplied(run, span)


def no_tensor(base: str, cotangent: str, span: Span, what: str) -> EinbatchError:
    """The error for `T.grad` where there is no tensor `T`."""
    return fail(
        "E0808",
        f"there is no tensor `{base}` to have the cotangent `{cotangent}`",
        (span, what),
        help="a cotangent is named after its tensor: `T.grad`",
    )


def not_an_index(scope: Scope, identifier: tree.Identifier) -> EinbatchError:
    """The error for a name that should be an index and means something else."""
    meaning = WORDS[scope.symbols[identifier.key].meaning]
    return fail(
        "E0208",
        f"`{identifier.key}` is {meaning}, not an index",
        (identifier.span, "an index is needed here"),
        (place(scope, identifier.key), f"{meaning} here"),
        help="use an index: a name that subscripts a tensor or that `index` declares",
    )


def _twice(again: tree.Identifier, first: tree.Identifier) -> EinbatchError:
    return fail(
        "E0403",
        f"index `{again.key}` stands twice in one list",
        (again.span, "again here"),
        (first.span, "first here"),
        help="name each index once",
    )


def _reduction_hint(function: str) -> str:
    if function in REDUCTIONS:
        return f"to reduce over an index write `{function}[i](…)`"
    return f"write `{function}` with {counted(PRIMITIVES[function].arity or 2, 'argument')}"


def _negated(value: Expression, span: Span) -> Expression:
    return Apply("neg", (value,), span)


def _multiplied(run: list[Expression], span: Span) -> Expression:
    return run[0] if len(run) == 1 else Apply("mul", tuple(run), span)
