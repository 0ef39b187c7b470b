"""Symbolic extents as polynomials: whether two are the same, and their simplest form."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from einbatch.ir import Apply, Expression, Extent, Number

Monomial = tuple[Expression, ...]
Polynomial = dict[Monomial, Fraction]
MOST_TERMS = 64


def same_value(a: Expression, b: Expression) -> bool:
    """True where two resolved extents are equal as polynomials in what they are made of."""
    return a == b or _polynomial(a) == _polynomial(b)


def simplest(expression: Expression) -> Expression:
    """The extent as `2*n - 3`: a sum of products of what it is made of, in a fixed order."""
    terms = _polynomial(expression)
    if any(coefficient.denominator != 1 for coefficient in terms.values()):
        return expression
    ordered = sorted(terms.items(), key=lambda item: (-len(item[0]), -item[1], repr(item[0])))
    parts = [_term(monomial, int(coefficient)) for monomial, coefficient in ordered]
    if not parts:
        return Number(0)
    return parts[0] if len(parts) == 1 else Apply("add", tuple(parts))


def _term(monomial: Monomial, coefficient: int) -> Expression:
    size = abs(coefficient)
    factors = monomial if size == 1 and monomial else (Number(size), *monomial)
    value = factors[0] if len(factors) == 1 else Apply("mul", tuple(factors))
    return Apply("neg", (value,)) if coefficient < 0 else value


def constant_difference(a: Expression, b: Expression) -> int | None:
    """`a - b` where it is the same integer whatever the data; None otherwise."""
    difference = _sum((_polynomial(a), _times({(): Fraction(-1)}, _polynomial(b))))
    if set(difference) - {()}:
        return None
    value = difference.get((), Fraction(0))
    return int(value) if value.denominator == 1 else None


def is_at_least(a: Expression, b: Expression) -> bool:
    """True where `a >= b` is plain to see: each extent, of which they are made, is 1 or more."""
    difference = _sum((_polynomial(a), _times({(): Fraction(-1)}, _polynomial(b))))
    constant = difference.pop((), Fraction(0))
    if any(coefficient < 0 for coefficient in difference.values()):
        return False
    plain = all(isinstance(atom, Extent) for key in difference for atom in key)
    return constant + (sum(difference.values()) if plain else 0) >= 0


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
        case Apply(primitive="floor", arguments=(inner,)):
            return _floor(inner)
        case _:
            return {(expression,): Fraction(1)}


def _floor(inner: Expression) -> Polynomial:
    """`floor(n/2 + 1)` as `floor(n/2) + 1`; the floor of an integer is itself."""
    terms = _polynomial(inner)
    if all(coefficient.denominator == 1 for coefficient in terms.values()) and not any(
        isinstance(atom, Apply) and atom.primitive == "div" for key in terms for atom in key
    ):
        return terms
    match inner:
        case Apply(primitive="div", arguments=(numerator, divisor)):
            atom = Apply("floor", (Apply("div", (simplest(numerator), divisor)),))
        case _:
            atom = Apply("floor", (inner,))
    return {(atom,): Fraction(1)}


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
