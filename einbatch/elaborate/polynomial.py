"""Whether two symbolic extents are the same number whatever the data: by polynomials."""

from __future__ import annotations

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
            total: Polynomial = {}
            for argument in arguments:
                total = _plus(total, _polynomial(argument))
            return total
        case Apply(primitive="neg", arguments=(argument,)):
            return _times({(): Fraction(-1)}, _polynomial(argument))
        case Apply(primitive="mul", arguments=arguments):
            product: Polynomial = {(): Fraction(1)}
            for argument in arguments:
                product = _times(product, _polynomial(argument))
                if len(product) > MOST_TERMS:
                    return {(expression,): Fraction(1)}
            return product
        case Apply(primitive="div", arguments=(numerator, Number(value=int() as value))) if value:
            return _times({(): Fraction(1, value)}, _polynomial(numerator))
        case _:
            return {(expression,): Fraction(1)}


def _plus(a: Polynomial, b: Polynomial) -> Polynomial:
    total = dict(a)
    for monomial, coefficient in b.items():
        total[monomial] = total.get(monomial, Fraction(0)) + coefficient
    return {monomial: coefficient for monomial, coefficient in total.items() if coefficient}


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    total: Polynomial = {}
    for left, x in a.items():
        for right, y in b.items():
            monomial = tuple(sorted(left + right, key=repr))
            total = _plus(total, {monomial: x * y})
    return total
