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


@dataclass(frozen=True, slots=True)
class AffineView:
    """The elements that affine subscripts name, over their indices; see `graph.Value`."""

    axes: tuple[str, ...]
    shape: Shape
    strides: Shape
    offset: int
    steps: Shape
    guards: tuple[Shape, ...]

    @property
    def is_injective(self) -> bool:
        """True where it is certain that no element is named twice."""
        return is_injective(self.shape, self.strides)


def is_injective(shape: Shape, strides: Shape) -> bool:
    """True where it is certain that no element is named twice."""
    reach = 0
    for stride, extent in sorted((abs(s), n) for s, n in zip(strides, shape, strict=True) if n > 1):
        if stride <= reach:
            return False
        reach += stride * (extent - 1)
    return True


def range_of(low: Lowering, form: Affine) -> tuple[int, int]:
    """The least and the greatest value of a subscript."""
    ends = [coefficient * (low.extents[name] - 1) for name, coefficient in form.coefficients]
    least = form.constant + sum(end for end in ends if end < 0)
    return least, form.constant + sum(end for end in ends if end > 0)


def is_inside(low: Lowering, form: Affine, extent: int) -> bool:
    """True where every value of the subscript is one of 0 … extent - 1."""
    least, greatest = range_of(low, form)
    return least >= 0 and greatest < extent


def is_outside(low: Lowering, form: Affine | None, extent: int) -> bool:
    """True where no value of the subscript is one of 0 … extent - 1."""
    if form is None:
        return False
    least, greatest = range_of(low, form)
    return greatest < 0 or least >= extent


def find_view(
    low: Lowering,
    subscripts: Sequence[Expression],
    layout: Layout,
    shape: Shape,
    *,
    guarded: bool = False,
) -> AffineView | None:
    """The view that subscripts make of a layout; None where one is not affine, or goes outside.

    Where `guarded`, a subscript that only the rounds of loops decide may go outside.
    """
    forms = [find_affine(low, subscript) for subscript in subscripts]
    return view_of(low, forms, layout, shape, guarded=guarded)


def view_of(
    low: Lowering,
    forms: Sequence[Affine | None],
    layout: Layout,
    shape: Shape,
    *,
    guarded: bool = False,
) -> AffineView | None:
    """The same, of affine forms."""
    strides: dict[str, int] = {}
    steps = dict(zip(layout.steps[::2], layout.steps[1::2], strict=True))
    guards: list[Shape] = []
    offset = layout.offset
    for form, extent, stride in zip(forms, shape, layout.strides, strict=True):
        if form is None:
            return None
        if not is_inside(low, form, extent):
            if not guarded or any(name not in low.fixed for name, _ in form.coefficients):
                return None
            terms = ((low.fixed[name], value) for name, value in form.coefficients if value)
            guards.append((form.constant, extent, *(part for term in terms for part in term)))
        offset += form.constant * stride
        for name, coefficient in form.coefficients:
            if name in low.fixed:
                loop = low.fixed[name]
                steps[loop] = steps.get(loop, 0) + coefficient * stride
            else:
                strides[name] = strides.get(name, 0) + coefficient * stride
    axes = tuple(strides)
    moving = tuple(part for loop, step in steps.items() if step for part in (loop, step))
    found = tuple(strides.values())
    return AffineView(axes, low.shape(axes), found, offset, moving, tuple(guards))


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
