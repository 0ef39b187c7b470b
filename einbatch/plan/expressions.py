"""Expressions lowered to values: numbers, integers and conditions."""

from __future__ import annotations

import math
from collections.abc import Sequence

from einbatch.ir.primitives import PRIMITIVES, REDUCTIONS
from einbatch.ir.program import (
    Apply,
    Constant,
    Expression,
    Extent,
    IndexValue,
    Number,
    Operator,
    Read,
    Reduce,
)
from einbatch.ir.traverse import free_indices
from einbatch.plan import reads
from einbatch.plan.lowering import Lowering, Term
from einbatch.plan.operations import ACCUMULATE
from einbatch.plan.reductions import lower_reduction, reduce_to
from einbatch.plan.sliding import find_sliding, reduce_in_loops
from einbatch.plan.sums import lower_sum, products_of

COMPARISONS = {
    "eq": "equal",
    "ne": "not_equal",
    "lt": "less",
    "le": "less_equal",
    "gt": "greater",
    "ge": "greater_equal",
}
UNARY = {
    "exp": "exp",
    "log": "log",
    "sqrt": "sqrt",
    "abs": "absolute",
    "sign": "sign",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "tanh": "tanh",
    "erf": "erf",
    "floor": "floor",
}
OPERATORS: dict[str, Operator] = {"max": "max=", "min": "min=", "prod": "*="}
POWERS = 16
"""The largest exponent that is done by multiplication."""


def lower(low: Lowering, expression: Expression) -> Term:
    """An expression as a number, or as a condition that stands for 0 or 1."""
    exact = low.exact(expression)
    if exact is not None:
        return low.number(exact)
    match expression:
        case Number(value=value):
            return low.number(value)
        case Read():
            return reads.lower_read(low, expression, lower_integer, lower_number)
        case Reduce():
            return _lower_reduce(low, expression)
        case Apply(primitive="stop", arguments=(inner,)):
            return lower(low, inner)
        case Apply(primitive="iverson", arguments=(condition,)):
            return lower_condition(low, condition)
        case Apply(primitive="select"):
            return _lower_select(low, expression, lower_number)
        case Apply() | IndexValue() if is_integral(low, expression):
            return lower_integer(low, expression)
        case Apply(primitive="add" | "mul" | "neg" | "div"):
            return lower_sum(low, products_of(low, expression, ()), lower)
        case Apply(primitive=primitive, arguments=arguments):
            return _apply(low, primitive, [lower_number(low, item) for item in arguments])
        case Constant() | Extent() | IndexValue():
            raise AssertionError(expression)


def lower_number(low: Lowering, expression: Expression) -> Term:
    """An expression as a number in the program's precision."""
    return low.as_float(lower(low, expression))


def lower_integer(low: Lowering, expression: Expression) -> Term:
    """An integral expression in exact integers; see `is_integral`."""
    exact = low.exact(expression)
    if isinstance(exact, int):
        return low.number(exact, "int")
    match expression:
        case IndexValue(index=index):
            return low.range(index)
        case Apply(primitive="iverson", arguments=(condition,)):
            return low.cast(lower_condition(low, condition), "int")
        case Apply(primitive="select"):
            return _lower_select(low, expression, lower_integer)
        case Apply(primitive="floor", arguments=(inner,)) if not is_integral(low, inner):
            return low.cast(low.pointwise("floor", lower_number(low, inner)), "int")
        case Apply(primitive="floor" | "stop", arguments=(inner,)):
            return lower_integer(low, inner)
        case Apply(primitive=primitive, arguments=arguments) if is_integral(low, expression):
            return _apply_integer(low, primitive, [lower_integer(low, e) for e in arguments])
        case Reduce(reduction=reduction, indices=indices, body=body) if is_integral(low, body):
            with low.unfixed(indices):
                return lower_reduction(low, reduction, indices, lower_integer(low, body))
        case _:
            return low.cast(lower(low, expression), "int")


def lower_condition(low: Lowering, expression: Expression) -> Term:
    """A condition, true or false at each point."""
    exact = low.exact(expression)
    if exact is not None:
        return low.number(exact, "bool")
    match expression:
        case Apply(primitive="and" | "or" as primitive, arguments=arguments):
            terms = [lower_condition(low, argument) for argument in arguments]
            total = terms[0]
            for term in terms[1:]:
                total = low.pointwise(f"logical_{primitive}", total, term)
            return total
        case Apply(primitive="not", arguments=(inner,)):
            return low.pointwise("logical_not", lower_condition(low, inner))
        case Apply(primitive=primitive, arguments=(a, b)) if primitive in COMPARISONS:
            exactly = is_integral(low, a) and is_integral(low, b)
            lower_side = lower_integer if exactly else lower_number
            return low.pointwise(COMPARISONS[primitive], lower_side(low, a), lower_side(low, b))
        case _:
            raise AssertionError(expression)


def is_integral(low: Lowering, expression: Expression) -> bool:
    """True where an expression is an integer by its form."""
    match expression:
        case Number(value=value):
            return isinstance(value, int)
        case Constant(name=name):
            return isinstance(low.constants[name], int)
        case IndexValue() | Extent():
            return True
        case Read(tensor=tensor, otherwise=otherwise):
            rest = otherwise is None or is_integral(low, otherwise)
            return low.tensors[tensor].integer and rest
        case Apply(primitive="floor" | "iverson"):
            return True
        case Apply(primitive="select", arguments=(_, a, b)):
            return is_integral(low, a) and is_integral(low, b)
        case Apply(primitive=primitive, arguments=arguments):
            integral = PRIMITIVES[primitive].integral
            return integral and all(is_integral(low, argument) for argument in arguments)
        case Reduce(reduction="argmax" | "argmin"):
            return True
        case Reduce(reduction=reduction, body=body):
            return REDUCTIONS[reduction].integral and is_integral(low, body)


def _lower_reduce(low: Lowering, expression: Reduce) -> Term:
    """A reduction; one over the index of a loop around has this name for itself."""
    indices, body = expression.indices, expression.body
    with low.unfixed(indices):
        match expression.reduction:
            case "sum" | "mean":
                return _lower_sum(low, expression)
            case "max" | "min" | "prod" as reduction:
                return reduce_number(low, OPERATORS[reduction], indices, body)
            case reduction:
                term = lower_reduction(low, reduction, indices, lower_number(low, body))
    if REDUCTIONS[expression.reduction].keeps:
        for name in indices:
            term = low.at_round(term, name)
    return term


def reduce_number(
    low: Lowering, operator: Operator, indices: Sequence[str], body: Expression
) -> Term:
    """An expression reduced by the operator of a statement."""
    looped = find_sliding(low, (body,), indices)
    if not looped:
        return reduce_to(low, ACCUMULATE[operator], indices, lower_number(low, body))
    names = low.free(free_indices(body))
    axes = low.ordered(name for name in names if name not in indices)
    inner = [name for name in indices if name not in looped]
    return reduce_in_loops(
        low, looped, axes, operator, lambda: reduce_number(low, operator, inner, body)
    )


def _lower_sum(low: Lowering, expression: Reduce) -> Term:
    products = products_of(low, expression.body, expression.indices)
    total = lower_sum(low, products, lower)
    if expression.reduction == "sum":
        return total
    count = math.prod(low.shape(expression.indices))
    return low.pointwise("divide", total, low.number(count))


def _lower_select(low: Lowering, expression: Apply, lower_branch: reads.Lower) -> Term:
    """Both branches everywhere, then the one that is taken; the other's subscripts are tamed."""
    condition = lower_condition(low, expression.arguments[0])
    known = low.constant_of(condition)
    if known is not None:
        return lower_branch(low, expression.arguments[1 if known else 2])
    with low.guarded(condition):
        consequent = lower_branch(low, expression.arguments[1])
    with low.guarded(low.pointwise("logical_not", condition)):
        alternative = lower_branch(low, expression.arguments[2])
    return low.pointwise("where", condition, consequent, alternative)


def _apply_integer(low: Lowering, primitive: str, terms: list[Term]) -> Term:
    match primitive:
        case "add" | "mul":
            operation = {"add": "add", "mul": "multiply"}[primitive]
            total = terms[0]
            for term in terms[1:]:
                total = low.pointwise(operation, total, term)
            return total
        case "mod":
            return low.pointwise("remainder", *terms)
        case "relu":
            return low.pointwise("maximum", terms[0], low.number(0, "int"))
        case _:
            return _apply(low, primitive, terms)


def _apply(low: Lowering, primitive: str, terms: list[Term]) -> Term:
    """A primitive of numbers; sums and products are elsewhere."""
    if primitive in UNARY:
        return low.pointwise(UNARY[primitive], *terms)
    match primitive, terms:
        case "neg", [x]:
            return low.pointwise("negative", x)
        case "max", [a, b]:
            return low.pointwise("maximum", a, b)
        case "min", [a, b]:
            return low.pointwise("minimum", a, b)
        case "clamp", [x, least, greatest]:
            return low.pointwise("minimum", low.pointwise("maximum", x, least), greatest)
        case "relu", [x]:
            return low.pointwise("maximum", x, low.number(0))
        case "pow", [base, exponent]:
            return _power(low, base, exponent)
        case "mod", [a, b]:
            times = low.pointwise("floor", low.pointwise("divide", a, b))
            return low.pointwise("subtract", a, low.pointwise("multiply", b, times))
        case _:
            return _activation(low, primitive, terms[0])


def _activation(low: Lowering, primitive: str, x: Term) -> Term:
    one = low.number(1)
    match primitive:
        case "sigmoid":
            power = low.pointwise("exp", low.pointwise("negative", x))
            return low.pointwise("divide", one, low.pointwise("add", power, one))
        case "softplus":
            size = low.pointwise("absolute", x)
            power = low.pointwise("exp", low.pointwise("negative", size))
            positive = low.pointwise("maximum", x, low.number(0))
            return low.pointwise("add", positive, low.pointwise("log1p", power))
        case "gelu":
            scaled = low.pointwise("multiply", x, low.number(math.sqrt(0.5)))
            cumulated = low.pointwise("add", low.pointwise("erf", scaled), one)
            half = low.pointwise("multiply", x, low.number(0.5))
            return low.pointwise("multiply", half, cumulated)
        case _:
            raise AssertionError(primitive)


def _power(low: Lowering, base: Term, exponent: Term) -> Term:
    """Small integer powers by multiplication, square roots as such."""
    number = low.constant_of(exponent)
    if number == 0.5:
        return low.pointwise("sqrt", base)
    if number is None or number != int(number if math.isfinite(number) else 0.5):
        return low.pointwise("power", base, exponent)
    if number == 0 or abs(number) > POWERS:
        return low.pointwise("power", base, exponent)
    result = _power_of(low, base, abs(int(number)))
    return result if number > 0 else low.pointwise("divide", low.number(1), result)


def _power_of(low: Lowering, base: Term, exponent: int) -> Term:
    """A positive integer power, by squaring."""
    if exponent == 1:
        return base
    half = low.pointwise("square", _power_of(low, base, exponent // 2))
    return low.pointwise("multiply", half, base) if exponent % 2 else half
