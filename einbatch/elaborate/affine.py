"""Affine subscripts: which they are, how far they reach, and the range that they leave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from einbatch.elaborate.polynomial import constant_difference, simplest
from einbatch.ir import Apply, Constant, Expression, Extent, IndexValue, Number, transform
from einbatch.ir.build import ONE, ZERO, add, call, divide, multiply, subtract


@dataclass(frozen=True, slots=True)
class Affine:
    """`Σ coefficient·index + offset`; the offset is made of numbers and extents."""

    coefficients: tuple[tuple[str, int], ...]
    offset: Expression = ZERO

    def coefficient(self, index: str) -> int:
        """The coefficient of an index, 0 where it does not occur."""
        return dict(self.coefficients).get(index, 0)

    def least(self) -> Expression:
        """The smallest value over all values of the indices."""
        return _sum(self.offset, [(i, a) for i, a in self.coefficients if a < 0])

    def greatest(self) -> Expression:
        """The largest value over all values of the indices."""
        return _sum(self.offset, [(i, a) for i, a in self.coefficients if a > 0])

    def without(self, index: str) -> Affine:
        """The form without one of its indices."""
        return Affine(tuple(p for p in self.coefficients if p[0] != index), self.offset)


def affine_form(expression: Expression, constants: Mapping[str, int]) -> Affine | None:
    """The affine form of a subscript; `constants` are the integer constants. None for others."""
    match expression:
        case Number(value=int()) | Extent():
            return Affine((), expression)
        case Constant(name=name):
            return Affine((), Number(constants[name])) if name in constants else None
        case IndexValue(index=index):
            return Affine(((index, 1),))
        case Apply(primitive="neg", arguments=(argument,)):
            return _scaled(affine_form(argument, constants), -1)
        case Apply(primitive="add", arguments=arguments):
            total: Affine | None = Affine(())
            for argument in arguments:
                total = _plus(total, affine_form(argument, constants))
            return total
        case Apply(primitive="mul", arguments=arguments):
            return _product([affine_form(argument, constants) for argument in arguments])
        case _:
            return None


def with_extents(expression: Expression, extents: Mapping[str, Expression]) -> Expression:
    """What a reach comes to where the extents of these names are known."""

    def rule(node: Expression) -> Expression:
        return extents.get(node.name, node) if isinstance(node, Extent) else node

    return transform(expression, rule)


def range_left(form: Affine, index: str, extent: Expression) -> Expression:
    """The largest extent of an index for which the subscript stays inside an axis.

    From 0 upward, whatever the other indices are; the axis has `extent` elements.
    """
    others = form.without(index)
    coefficient = form.coefficient(index)
    upward = subtract(subtract(extent, ONE), others.greatest())
    room = upward if coefficient > 0 else others.least()
    steps = room
    if abs(coefficient) != 1:
        steps = call("floor", divide(room, Number(abs(coefficient))))
    return add(steps, ONE)


def _sum(offset: Expression, terms: list[tuple[str, int]]) -> Expression:
    total = offset
    for index, coefficient in terms:
        reach = subtract(Extent(index), ONE)
        total = add(total, multiply(Number(coefficient), reach))
    return total


def _plus(a: Affine | None, b: Affine | None) -> Affine | None:
    if a is None or b is None:
        return None
    total = dict(a.coefficients)
    for index, coefficient in b.coefficients:
        total[index] = total.get(index, 0) + coefficient
    pairs = tuple((i, c) for i, c in total.items() if c)
    return Affine(pairs, simplest(add(a.offset, b.offset)))


def _scaled(form: Affine | None, factor: int) -> Affine | None:
    if form is None:
        return None
    pairs = tuple((i, c * factor) for i, c in form.coefficients if factor)
    return Affine(pairs, simplest(multiply(Number(factor), form.offset)))


def _product(forms: list[Affine | None]) -> Affine | None:
    """A product is affine where at most one factor has indices, and the others are integers."""
    result = Affine((), ONE)
    for form in forms:
        if form is None:
            return None
        number, other = (result, form) if form.coefficients else (form, result)
        if number.coefficients:
            return None
        value = integer_of(number.offset)
        if value is not None:
            scaled = _scaled(other, value)
            assert scaled is not None
            result = scaled
        elif other.coefficients:
            return None
        else:
            result = Affine((), simplest(multiply(number.offset, other.offset)))
    return result


def integer_of(offset: Expression) -> int | None:
    """The integer that an offset is, whatever the data; None where it depends on extents."""
    return constant_difference(offset, ZERO)
