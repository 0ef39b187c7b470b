"""The derivative of each primitive: one line a primitive, no default.

A rule gets the arguments and the output, as expressions, and gives one partial
derivative for each argument; None where it is zero everywhere. Where a textbook
writes the derivative with the output (`y*(1 - y)` for the sigmoid), so do these.

At kinks: `relu'(0) = 0`, `abs'(0) = 0`, `max(a,b)` and `min(a,b)` give half to
each at a tie, and `clamp` passes the derivative where low <= x <= high.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from einbatch.ir.build import (
    ONE,
    TWO,
    ZERO,
    add,
    bracket,
    call,
    choose,
    divide,
    multiply,
    negate,
    power,
    subtract,
)
from einbatch.ir.program import Apply, Expression, Number, Read
from einbatch.ir.traverse import walk

Arguments = tuple[Expression, ...]
Partials = tuple[Expression | None, ...]
Rule = Callable[[Arguments, Expression], Partials]
HALF = divide(ONE, TWO)


def _unary(rule: Callable[[Expression, Expression], Expression]) -> Rule:
    return lambda arguments, output: (rule(arguments[0], output),)


def _constant(arguments: Arguments, output: Expression) -> Partials:
    del output
    return (None,) * len(arguments)


def _product(arguments: Arguments, output: Expression) -> Partials:
    del output
    return tuple(multiply(*(arguments[:k] + arguments[k + 1 :])) for k in range(len(arguments)))


def _quotient(arguments: Arguments, output: Expression) -> Partials:
    del output
    a, b = arguments
    return (divide(ONE, b), negate(divide(a, power(b, TWO))))


def _power(arguments: Arguments, output: Expression) -> Partials:
    a, b = arguments
    exponent = choose(call("eq", a, ZERO), ZERO, multiply(output, call("log", a)))
    fixed = _fixed(b)
    if fixed is None:
        slope = multiply(b, power(a, subtract(b, ONE)))
        return (choose(call("eq", b, ZERO), ZERO, slope), exponent)
    if fixed in (0, 1):
        return (ONE if fixed else None, exponent)
    return (multiply(b, power(a, _lower(b, fixed))), exponent)


def _fixed(exponent: Expression) -> Fraction | None:
    """An exponent that is a number, as typed: `2`, `-0.5`, `3/2`; None for any other."""
    match exponent:
        case Number(value=value) if value not in (math.pi, math.inf):
            return Fraction(repr(value))
        case Apply(primitive="neg", arguments=(inner,)):
            value = _fixed(inner)
            return None if value is None else -value
        case Apply(primitive="div", arguments=(above, Number(value=int(below)))) if below:
            value = _fixed(above)
            return None if value is None else value / below
        case _:
            return None


def _lower(exponent: Expression, value: Fraction) -> Expression:
    """The exponent less one, a fraction where it is one: 2 of 3, -1.5 of -0.5, 1/2 of 3/2."""
    less = abs(value - 1)
    whole = less.denominator == 1
    number = Number(int(less) if whole else float(less))
    if not whole and any(isinstance(n, Apply) and n.primitive == "div" for n in walk(exponent)):
        number = divide(Number(less.numerator), Number(less.denominator))
    return number if value > 1 else negate(number)


def _relu(x: Expression, y: Expression) -> Expression:
    return bracket("gt", y if isinstance(y, Read) else x, ZERO)


def _gelu(x: Expression, y: Expression) -> Expression:
    """Φ(x) + x φ(x), the derivative of x Φ(x) (Hendrycks and Gimpel 2016)."""
    del y
    root = call("sqrt", TWO)
    phi = divide(
        call("exp", divide(negate(power(x, TWO)), TWO)),
        call("sqrt", multiply(TWO, Number(math.pi))),
    )
    return add(divide(add(ONE, call("erf", divide(x, root))), TWO), multiply(x, phi))


def _erf(x: Expression, y: Expression) -> Expression:
    del y
    slope = divide(TWO, call("sqrt", Number(math.pi)))
    return multiply(slope, call("exp", negate(power(x, TWO))))


def _extremum(comparison: str) -> Rule:
    def rule(arguments: Arguments, output: Expression) -> Partials:
        del output
        a, b = arguments
        tie = multiply(HALF, bracket("eq", a, b))
        return (add(bracket(comparison, a, b), tie), add(bracket(comparison, b, a), tie))

    return rule


def _modulo(arguments: Arguments, output: Expression) -> Partials:
    del output
    a, b = arguments
    return (ONE, negate(call("floor", divide(a, b))))


def _clamp(arguments: Arguments, output: Expression) -> Partials:
    del output
    x, low, high = arguments
    inside = call("iverson", call("and", call("le", low, x), call("le", x, high)))
    return (inside, bracket("lt", x, low), bracket("gt", x, high))


PARTIALS: dict[str, Rule] = {
    "add": lambda arguments, output: (ONE,) * len(arguments),
    "mul": _product,
    "neg": lambda arguments, output: (negate(ONE),),
    "div": _quotient,
    "pow": _power,
    "exp": _unary(lambda x, y: y),
    "log": _unary(lambda x, y: divide(ONE, x)),
    "sqrt": _unary(lambda x, y: divide(ONE, multiply(TWO, y))),
    "abs": _unary(lambda x, y: call("sign", x)),
    "sign": _constant,
    "sin": _unary(lambda x, y: call("cos", x)),
    "cos": _unary(lambda x, y: negate(call("sin", x))),
    "tan": _unary(lambda x, y: add(ONE, power(y, TWO))),
    "tanh": _unary(lambda x, y: subtract(ONE, power(y, TWO))),
    "sigmoid": _unary(lambda x, y: multiply(y, subtract(ONE, y))),
    "relu": _unary(_relu),
    "softplus": _unary(lambda x, y: call("sigmoid", x)),
    "gelu": _unary(_gelu),
    "erf": _unary(_erf),
    "floor": _constant,
    "stop": _constant,
    "max": _extremum("gt"),
    "min": _extremum("lt"),
    "mod": _modulo,
    "clamp": _clamp,
    "eq": _constant,
    "ne": _constant,
    "lt": _constant,
    "le": _constant,
    "gt": _constant,
    "ge": _constant,
    "and": _constant,
    "or": _constant,
    "not": _constant,
    "iverson": _constant,
    "select": lambda arguments, output: (None, ONE, ONE),
}
"""`select` passes the cotangent of the branch that is taken, under its condition (see `pull`)."""

BY_OUTPUT = frozenset({"exp", "sqrt", "tan", "tanh", "sigmoid"})
"""The functions whose derivative is written with the output."""
