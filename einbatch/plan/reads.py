"""Reads of tensors: views where subscripts are affine, else gathers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from einbatch.diagnostics import Span
from einbatch.ir.constants import as_float
from einbatch.ir.program import Expression, IndexValue, Read
from einbatch.plan.bounds import find_bounds
from einbatch.plan.graph import Shape, Value
from einbatch.plan.lowering import Check, Lowering, Term
from einbatch.plan.subscripts import (
    Affine,
    AffineView,
    find_affine,
    find_view,
    is_inside,
    is_outside,
    range_of,
    view_of,
)

Lower = Callable[[Lowering, Expression], Term]
LARGEST = 4
"""How many times larger than what it is made of, or for, a padded copy may be."""


def lower_read(low: Lowering, read: Read, lower_integer: Lower, lower_number: Lower) -> Term:
    """What is read, over the indices of its subscripts."""
    value = low.current[read.tensor]
    layout, shape = low.graph.layout(value), low.graph[value].shape
    names = whole_axes(low, read.subscripts, shape)
    if names is not None:
        return low.reduced(value, names)
    view = find_view(low, read.subscripts, layout, shape)
    if view is not None:
        return _viewed(low, value, view)
    if read.otherwise is not None:
        forms = [find_affine(low, subscript) for subscript in read.subscripts]
        if any(is_outside(low, form, n) for form, n in zip(forms, shape, strict=True)):
            return lower_number(low, read.otherwise)
        guarded = find_picked(low, read, value, lower_number) or find_padded(
            low, read, value, lower_integer, lower_number
        )
        if guarded is not None:
            return guarded
    terms = [lower_integer(low, subscript) for subscript in read.subscripts]
    if read.otherwise is None:
        places = [
            check_inside(low, term, extent, read.tensor, axis, read.span)
            for axis, (term, extent) in enumerate(zip(terms, shape, strict=True))
        ]
        return _gather(low, value, places)
    inside, places = clamped(low, terms, shape)
    return _either(low, read.otherwise, inside, _gather(low, value, places), lower_number)


def whole_axes(
    low: Lowering, subscripts: Sequence[Expression], shape: Shape
) -> tuple[str, ...] | None:
    """The indices, where each axis has one of its own that runs over all of it."""
    names = [item.index for item in subscripts if isinstance(item, IndexValue)]
    if len(low.free(names)) == len(subscripts) and low.shape(names) == shape:
        return tuple(names)
    return None


def _viewed(low: Lowering, value: int, view: AffineView) -> Term:
    found = low.graph.view(value, view.shape, view.strides, view.offset, view.steps, view.guards)
    return low.reduced(found, view.axes)


def _either(
    low: Lowering, otherwise: Expression, inside: Term, found: Term, lower_number: Lower
) -> Term:
    """What is found where the subscripts are inside, else what `otherwise` says."""
    with low.guarded(low.pointwise("logical_not", inside)):
        rest = lower_number(low, otherwise)
    return low.pointwise("where", inside, low.as_float(found), rest)


def find_picked(low: Lowering, read: Read, value: int, lower_number: Lower) -> Term | None:
    """A read that is outside in whole rounds of the loops around, or in none of their elements."""
    layout, shape = low.graph.layout(value), low.graph[value].shape
    view = find_view(low, read.subscripts, layout, shape, guarded=True)
    if view is None or low.graph[value].kind != "float":
        return None
    assert read.otherwise is not None
    with low.guarded(_outside(low, view)):
        rest = lower_number(low, read.otherwise)
    axes = low.ordered((*view.axes, *rest.axes))
    strides = dict(zip(view.axes, view.strides, strict=True))
    moving = tuple(strides.get(name, 0) for name in axes)
    extents = low.shape(axes)
    found = low.graph.view(value, extents, moving, view.offset, view.steps, view.guards)
    arguments = (found, low.expand(rest, axes))
    return Term(low.graph.add(Value("pick", arguments, (), extents, "float")), axes)


def _outside(low: Lowering, view: AffineView) -> Term:
    """Whether this is a round without such a view."""
    names = {loop: name for name, loop in low.fixed.items()}
    outside = low.number(0, "bool")
    for constant, extent, *terms in view.guards:
        total = low.number(constant, "int")
        for loop, coefficient in zip(terms[::2], terms[1::2], strict=True):
            part = low.pointwise("multiply", low.range(names[loop]), low.number(coefficient, "int"))
            total = low.pointwise("add", total, part)
        for condition in (
            low.pointwise("less", total, low.number(0, "int")),
            low.pointwise("greater_equal", total, low.number(extent, "int")),
        ):
            outside = low.pointwise("logical_or", outside, condition)
    return outside


def find_padded(
    low: Lowering, read: Read, value: int, lower_integer: Lower, lower_number: Lower
) -> Term | None:
    """A view of a padded copy; None where subscripts are not affine, or too far outside."""
    forms = [find_affine(low, subscript) for subscript in read.subscripts]
    if any(form is None for form in forms) or not low.uses("pad"):
        return None
    known = [form for form in forms if form is not None]
    value, known = _sliced(low, value, known)
    shape = low.graph[value].shape
    ranges = [range_of(low, form) for form in known]
    loops = {
        low.fixed[name]
        for form, (least, greatest), extent in zip(known, ranges, shape, strict=True)
        for name, _ in form.coefficients
        if name in low.fixed and not 0 <= least <= greatest < extent
    }
    if any(loop <= low.graph.scopes[value] for loop in loops):
        return None  # it changes from round to round: the copy would be made anew in each
    before = tuple(max(0, -least) for least, _ in ranges)
    after = [max(0, most - n + 1) for (_, most), n in zip(ranges, shape, strict=True)]
    padded = tuple(b + n + a for b, n, a in zip(before, shape, after, strict=True))
    names = {name for form in known for name, _ in form.coefficients}
    if prod(padded) > LARGEST * max(prod(shape), prod(low.shape(names))):
        return None
    assert read.otherwise is not None
    fill = low.exact(read.otherwise)
    number = 0.0 if fill is None else as_float(fill)
    kind = low.graph[value].kind
    if kind == "int" and not isinstance(fill, int):
        return None
    attributes = (int(number) if kind == "int" else number, before)
    root = low.graph.add(Value("pad", (value,), attributes, padded, kind))
    shifted = [
        Affine(form.coefficients, form.constant + b) for form, b in zip(known, before, strict=True)
    ]
    view = view_of(low, shifted, low.graph.layout(root), padded)
    assert view is not None
    found = _viewed(low, root, view)
    if fill is not None:
        return found
    terms = [lower_integer(low, subscript) for subscript in read.subscripts]
    inside, _ = clamped(low, terms, low.graph[low.current[read.tensor]].shape)
    return _either(low, read.otherwise, inside, found, lower_number)


def _sliced(low: Lowering, value: int, forms: list[Affine]) -> tuple[int, list[Affine]]:
    """The value without the axes that a round of the loops it changes with decides; and the rest.

    Only what is left is worth a copy in each round.
    """
    layout, shape = low.graph.layout(value), low.graph[value].shape
    scope = low.graph.scopes[value]
    kept = [
        axis
        for axis, form in enumerate(forms)
        if not is_inside(low, form, shape[axis])
        or any(low.fixed.get(name, scope + 1) > scope for name, _ in form.coefficients)
    ]
    offset, steps = layout.offset, list(layout.steps)
    for axis, form in enumerate(forms):
        if axis not in kept:
            offset += form.constant * layout.strides[axis]
            for name, coefficient in form.coefficients:
                steps += [low.fixed[name], coefficient * layout.strides[axis]]
    if len(kept) == len(shape):
        return value, forms
    found = low.graph.view(
        value,
        tuple(shape[axis] for axis in kept),
        tuple(layout.strides[axis] for axis in kept),
        offset,
        tuple(steps),
    )
    return found, [forms[axis] for axis in kept]


def check_inside(
    low: Lowering, term: Term, extent: int, tensor: str, axis: int, span: Span
) -> Term:
    """A subscript that is certainly inside its axis, checked when it runs if need be."""
    if _is_inside(low, term, extent):
        return term
    for guard in low.guards:
        term = low.pointwise("where", guard, term, low.number(0, "int"))
    term = Term(low.contiguous(term.value), term.axes)
    check = Check(tensor, axis, extent, term.axes, span)
    number = next(
        (
            k
            for k, (value, known) in enumerate(zip(low.checked, low.checks, strict=True))
            if value == term.value and known.extent == extent
        ),
        len(low.checks),
    )
    if number == len(low.checks):
        low.checks.append(check)
        low.checked.append(term.value)
    shape = low.graph[term.value].shape
    value = Value("check", (term.value,), (number, extent), shape, "int")
    return Term(low.graph.add(value), term.axes)


def _is_inside(low: Lowering, term: Term, extent: int) -> bool:
    bounds = find_bounds(low.graph, term.value) if low.uses("prove_inside") else None
    return bounds is not None and bounds[0] >= 0 and bounds[1] < extent


def clamped(low: Lowering, terms: Sequence[Term], shape: Shape) -> tuple[Term, list[Term]]:
    """Whether all subscripts are inside, and the subscripts moved inside."""
    inside = low.number(1, "bool")
    places: list[Term] = []
    zero = low.number(0, "int")
    for term, extent in zip(terms, shape, strict=True):
        if _is_inside(low, term, extent):
            places.append(term)
            continue
        last = low.number(extent - 1, "int")
        for condition in (
            low.pointwise("greater_equal", term, zero),
            low.pointwise("less_equal", term, last),
        ):
            known = low.constant_of(inside) is not None
            inside = condition if known else low.pointwise("logical_and", inside, condition)
        places.append(low.pointwise("minimum", low.pointwise("maximum", term, zero), last))
    return inside, places


def flat_position(low: Lowering, places: Sequence[Term], shape: Shape) -> Term:
    """The position of elements in memory, from one subscript for each axis."""
    total = low.number(0, "int")
    for axis, place in enumerate(places):
        step = low.number(prod(shape[axis + 1 :]), "int")
        part = place if low.constant_of(step) == 1 else low.pointwise("multiply", place, step)
        total = part if low.constant_of(total) == 0 else low.pointwise("add", total, part)
    return total


def _gather(low: Lowering, value: int, places: Sequence[Term]) -> Term:
    """Elements at computed subscripts; axes that one index of its own runs over stay whole."""
    value = low.contiguous(value)
    shape = low.graph[value].shape
    computed = [axis for axis in range(len(shape)) if not _is_whole(low, axis, places, shape)]
    first, last = computed[0], computed[-1] + 1
    flat = flat_position(low, places[first:last], shape[first:last])
    rank = len(shape)
    groups = (
        *((axis,) for axis in range(first)),
        tuple(range(first, last)),
        *((axis,) for axis in range(last, rank)),
    )
    source = low.graph.merged(value, groups)
    assert source is not None
    before = tuple(place.axes[0] for place in places[:first])
    after = tuple(place.axes[0] for place in places[last:])
    axes = (*before, *flat.axes, *after)
    kind = low.graph[value].kind
    taken = Value("take", (source, flat.value), (first,), low.shape(axes), kind)
    return Term(low.graph.add(taken), axes)


def _is_whole(low: Lowering, axis: int, places: Sequence[Term], shape: Shape) -> bool:
    """True where a subscript is an index over the whole axis that no other subscript has."""
    place = places[axis]
    if low.graph[place.value].operation != "range" or low.extents[place.axes[0]] != shape[axis]:
        return False
    others = [name for k, other in enumerate(places) if k != axis for name in other.axes]
    return place.axes[0] not in others
