"""Reads of tensors: views where subscripts are affine, else gathers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from einbatch.diagnostics import Span
from einbatch.ir.program import Expression, IndexValue, Read
from einbatch.plan.bounds import find_bounds
from einbatch.plan.graph import Shape, Value
from einbatch.plan.lowering import Check, Lowering, Term
from einbatch.plan.subscripts import find_view

Lower = Callable[[Lowering, Expression], Term]


def lower_read(low: Lowering, read: Read, lower_integer: Lower, lower_number: Lower) -> Term:
    """What is read, over the indices of its subscripts."""
    value = low.current[read.tensor]
    names = [item.index for item in read.subscripts if isinstance(item, IndexValue)]
    if len(set(names)) == len(read.subscripts):
        return low.reduced(value, names)
    layout, shape = low.graph.layout(value), low.graph[value].shape
    view = find_view(low, read.subscripts, layout, shape)
    if view is not None:
        return low.reduced(low.graph.view(value, view.shape, view.strides, view.offset), view.axes)
    terms = [lower_integer(low, subscript) for subscript in read.subscripts]
    if read.otherwise is None:
        places = [
            check_inside(low, term, extent, read.tensor, axis, read.span)
            for axis, (term, extent) in enumerate(zip(terms, shape, strict=True))
        ]
        return _gather(low, value, places)
    inside, places = _clamped(low, terms, shape)
    found = _gather(low, value, places)
    with low.guarded(low.pointwise("logical_not", inside)):
        otherwise = lower_number(low, read.otherwise)
    return low.pointwise("where", inside, low.as_float(found), otherwise)


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
    bounds = find_bounds(low.graph, term.value)
    return bounds is not None and bounds[0] >= 0 and bounds[1] < extent


def _clamped(low: Lowering, terms: Sequence[Term], shape: Shape) -> tuple[Term, list[Term]]:
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
