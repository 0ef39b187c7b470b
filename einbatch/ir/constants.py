"""The value of a constant expression: exact where it is rational, bounded always."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from fractions import Fraction

from einbatch.diagnostics import EinbatchError, Span, fail
from einbatch.ir.program import Apply, Constant, Expression, Extent, Number

Value = int | float | Fraction
BITS = 2048
"""The most binary digits that an exact intermediate value may have."""


def evaluate_constant(
    expression: Expression,
    constants: Mapping[str, Value],
    extents: Mapping[str, int],
) -> Value:
    """The value of an expression of numbers, constants and extents.

    Integers and fractions stay exact under `+ - * / ^ floor mod max min abs sign`;
    everything else is computed in double precision. KeyError where a name has no
    value in `constants` or `extents`; EinbatchError where a value overflows or is
    undefined, or where something is read that is no constant.
    """
    match expression:
        case Number(value=value):
            return value
        case Constant(name=name):
            return constants[name]
        case Extent(name=name):
            return extents[name]
        case Apply(primitive="select", arguments=(condition, consequent, alternative)):
            chosen = consequent if evaluate_constant(condition, constants, extents) else alternative
            return evaluate_constant(chosen, constants, extents)
        case Apply(primitive=primitive, arguments=arguments) if primitive in _MEANING:
            values = [evaluate_constant(item, constants, extents) for item in arguments]
            return _bounded(primitive, values, expression)
        case _:
            raise fail(
                "E0304",
                "this is not a constant",
                (expression.span, "a constant is made of numbers, constants and extents"),
                help="move what depends on data into a statement",
            )


def as_float(value: Value) -> float:
    """A constant as a double; infinite where it is larger than any."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


LARGEST_INTEGER = 2**63 - 1
"""The largest integer that a tensor of integers holds."""


def overflow(value: int, span: Span) -> EinbatchError:
    """The error for integers that 64 bits may not hold."""
    size = f"{value:.3g}" if abs(value) < 10**300 else "more than 1e300"
    return fail(
        "E0626",
        f"the integers here may come to {size}, and 64 bits hold up to 9.22e18",
        (span, "computed with integers"),
        help="compute with numbers instead: write one of the factors with a point, `2.0`",
    )


def _bounded(primitive: str, values: list[Value], expression: Expression) -> Value:
    try:
        if primitive == "pow":
            _check_power(values[0], values[1])
        result = _exact(_normal(_MEANING[primitive](*values)))
    except (ZeroDivisionError, ValueError) as error:
        raise fail(
            "E0305",
            f"this constant has no value: {_reason(error)}",
            (expression.span, "computed before anything runs"),
            help="change the numbers in this expression",
        ) from error
    except OverflowError as error:
        raise fail(
            "E0306",
            "this constant overflows",
            (expression.span, f"more than {BITS} binary digits, or beyond 1.8e308"),
            help="use a smaller number; decimal ones go up to `1.7e308`, and are not exact",
        ) from error
    return result


def _reason(error: Exception) -> str:
    return (
        "it divides by zero" if isinstance(error, ZeroDivisionError) else "it is outside the domain"
    )


def _check_power(base: Value, exponent: Value) -> None:
    if isinstance(base, float) or isinstance(exponent, float) or exponent == 0:
        return
    if not isinstance(exponent, int):
        return
    if _bits(base) > 1 and abs(exponent) * _bits(base) > 2 * BITS:
        raise OverflowError


def _exact(value: Value) -> Value:
    """The value, if it is no number with too many digits."""
    if not isinstance(value, float) and _bits(value) > BITS:
        raise OverflowError
    return value


def _bits(value: int | Fraction) -> int:
    return max(value.numerator.bit_length(), value.denominator.bit_length())


def _normal(value: Value | complex | bool) -> Value:
    if isinstance(value, complex):
        raise ValueError
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, Fraction) and value.denominator == 1:
        return int(value)
    return value


def _add(*values: Value) -> Value:
    total: Value = 0
    for value in values:
        total = _exact(total + value)
    return total


def _multiply(*values: Value) -> Value:
    total: Value = 1
    for value in values:
        total = _exact(total * value)
    return total


def _divide(a: Value, b: Value) -> Value:
    if isinstance(a, float) or isinstance(b, float):
        return a / b
    return Fraction(a) / Fraction(b)


def _power(a: Value, b: Value) -> Value | complex:
    if isinstance(a, float) or not isinstance(b, int):
        return float(a) ** float(b)
    return Fraction(a) ** b


def _sigmoid(x: Value) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _softplus(x: Value) -> float:
    return max(float(x), 0.0) + math.log1p(math.exp(-abs(x)))


def _negate(x: Value) -> Value:
    return -x


def _absolute(x: Value) -> Value:
    return abs(x)


def _floor(x: Value) -> int:
    return math.floor(x)


def _maximum(a: Value, b: Value) -> Value:
    return max(a, b)


def _minimum(a: Value, b: Value) -> Value:
    return min(a, b)


def _less(a: Value, b: Value) -> bool:
    return a < b


def _at_most(a: Value, b: Value) -> bool:
    return a <= b


def _greater(a: Value, b: Value) -> bool:
    return a > b


def _at_least(a: Value, b: Value) -> bool:
    return a >= b


def _sign(x: Value) -> int:
    return (x > 0) - (x < 0)


def _gelu(x: Value) -> float:
    return float(x) * (1 + math.erf(float(x) / math.sqrt(2))) / 2


def _modulo(a: Value, b: Value) -> Value:
    return a - b * math.floor(_divide(a, b))


def _all(*values: Value) -> bool:
    return all(values)


def _any(*values: Value) -> bool:
    return any(values)


def _relu(x: Value) -> Value:
    return max(x, 0)


def _clamp(x: Value, low: Value, high: Value) -> Value:
    return min(max(x, low), high)


def _itself(x: Value) -> Value:
    return x


_MEANING: dict[str, Callable[..., Value | complex | bool]] = {
    "add": _add,
    "mul": _multiply,
    "neg": _negate,
    "div": _divide,
    "pow": _power,
    "exp": math.exp,
    "log": math.log,
    "sqrt": math.sqrt,
    "abs": _absolute,
    "sign": _sign,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "tanh": math.tanh,
    "sigmoid": _sigmoid,
    "relu": _relu,
    "softplus": _softplus,
    "gelu": _gelu,
    "erf": math.erf,
    "floor": _floor,
    "max": _maximum,
    "min": _minimum,
    "mod": _modulo,
    "clamp": _clamp,
    "stop": _itself,
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": _less,
    "le": _at_most,
    "gt": _greater,
    "ge": _at_least,
    "and": _all,
    "or": _any,
    "not": operator.not_,
    "iverson": _itself,
}
