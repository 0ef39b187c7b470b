"""Subscripts that are affine in indices: their form, their range, the view they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from einbatch.ir.program import Apply, Expression, IndexValue
from einbatch.plan.graph import Layout, Shape
from einbatch.plan.lowering import Lowering


@dataclass(frozen=True, slots=True)
class Affine:
    """The sum of coefficients times indices, plus a constant."""

    coefficients: tuple[tuple[str, int], ...]
    constant: int


def find_affine(low: Lowering, expression: Expression) -> Affine | None:
    """The affine form of a subscript, None where it has none."""
    exact = low.exact(expression)
    if exact is not None:
        return Affine((), exact) if isinstance(exact, int) else None
    match expression:
        case IndexValue(index=index):
            return Affine(((index, 1),), 0)
        case Apply(primitive="neg", arguments=(inner,)):
            return _scaled(find_affine(low, inner), -1)
        case Apply(primitive="add", arguments=arguments):
            return _sum([find_affine(low, argument) for argument in arguments])
        case Apply(primitive="mul", arguments=arguments):
            numbers = [low.exact(argument) for argument in arguments]
            rest = [a for a, number in zip(arguments, numbers, strict=True) if number is None]
            if len(rest) != 1:
                return None
            form = find_affine(low, rest[0])
            for number in numbers:
                if number is not None:
                    form = _scaled(form, number) if isinstance(number, int) else None
            return form
        case _:
            return None


def is_inside(low: Lowering, form: Affine, extent: int) -> bool:
    """True where every value of the subscript is one of 0 … extent - 1."""
    ends = [coefficient * (low.extents[name] - 1) for name, coefficient in form.coefficients]
    least = form.constant + sum(end for end in ends if end < 0)
    greatest = form.constant + sum(end for end in ends if end > 0)
    return least >= 0 and greatest < extent


@dataclass(frozen=True, slots=True)
class AffineView:
    """The elements that affine subscripts name, over their indices."""

    axes: tuple[str, ...]
    shape: Shape
    strides: Shape
    offset: int

    @property
    def is_injective(self) -> bool:
        """True where it is certain that no element is named twice."""
        reach = 0
        pairs = zip(self.shape, self.strides, strict=True)
        for stride, extent in sorted((abs(s), n) for n, s in pairs if n > 1):
            if stride <= reach:
                return False
            reach += stride * (extent - 1)
        return True


def find_view(
    low: Lowering, subscripts: Sequence[Expression], layout: Layout, shape: Shape
) -> AffineView | None:
    """The view that subscripts make of a layout; None where one is not affine, or goes outside."""
    strides: dict[str, int] = {}
    offset = layout.offset
    for subscript, extent, stride in zip(subscripts, shape, layout.strides, strict=True):
        form = find_affine(low, subscript)
        if form is None or not is_inside(low, form, extent):
            return None
        offset += form.constant * stride
        for name, coefficient in form.coefficients:
            strides[name] = strides.get(name, 0) + coefficient * stride
    axes = tuple(strides)
    return AffineView(axes, low.shape(axes), tuple(strides.values()), offset)


def _scaled(form: Affine | None, factor: int) -> Affine | None:
    if form is None:
        return None
    coefficients = tuple((name, factor * value) for name, value in form.coefficients)
    return Affine(coefficients, factor * form.constant)


def _sum(forms: Sequence[Affine | None]) -> Affine | None:
    total: dict[str, int] = {}
    constant = 0
    for form in forms:
        if form is None:
            return None
        constant += form.constant
        for name, value in form.coefficients:
            total[name] = total.get(name, 0) + value
    return Affine(tuple(total.items()), constant)
