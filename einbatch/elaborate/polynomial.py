"""Whether two symbolic extents are the same number whatever the data: by polynomials."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from einbatch.ir import Apply, Expression, Number

Monomial = tuple[Expression, ...]
Polynomial = dict[Monomial, Fraction]
MOST_TERMS = 64


def same_value(a: Expression, b: Expression) -> bool:
    """True where two resolved extents are equal as polynomials in what they are made of."""
    return a == b or _polynomial(a) == _polynomial(b)


def _polynomial(expression: Expression) -> Polynomial:
    match expression:
        case Number(value=int() as value):
            return {(): Fraction(value)} if value else {}
        case Apply(primitive="add", arguments=arguments):
            return _sum(_polynomial(argument) for argument in arguments)
        case Apply(primitive="neg", arguments=(argument,)):
            return _times({(): Fraction(-1)}, _polynomial(argument))
        case Apply(primitive="mul", arguments=arguments):
            product: Polynomial = {(): Fraction(1)}
            for argument in arguments:
                factor = _polynomial(argument)
                if len(product) * len(factor) > MOST_TERMS:
                    return {(expression,): Fraction(1)}
                product = _times(product, factor)
            return product
        case Apply(primitive="div", arguments=(numerator, Number(value=int() as value))) if value:
            return _times({(): Fraction(1, value)}, _polynomial(numerator))
        case _:
            return {(expression,): Fraction(1)}


def _sum(parts: Iterable[Polynomial]) -> Polynomial:
    total: Polynomial = {}
    for part in parts:
        for monomial, coefficient in part.items():
            total[monomial] = total.get(monomial, Fraction(0)) + coefficient
    return {monomial: coefficient for monomial, coefficient in total.items() if coefficient}


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    return _sum(
        {tuple(sorted(left + right, key=repr)): x * y}
        for left, x in a.items()
        for right, y in b.items()
    )
