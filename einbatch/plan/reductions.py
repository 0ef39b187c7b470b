"""Reductions other than sums, those of exponentials shifted by their maximum."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from einbatch.plan.contract import reduce_over
from einbatch.plan.graph import Value
from einbatch.plan.lowering import Lowering, Term

LARGEST = {"float32": 3.4028234663852886e38, "float64": 1.7976931348623157e308}
"""The largest finite number of each precision."""

OPERATIONS = {"sum": "add", "prod": "multiply", "max": "maximum", "min": "minimum"}


def lower_reduction(low: Lowering, reduction: str, indices: Sequence[str], body: Term) -> Term:
    """A reduction of a term over indices, which need not all be axes of it."""
    match reduction:
        case "sum" | "prod" | "max" | "min":
            return reduce_to(low, OPERATIONS[reduction], indices, body)
        case "argmax" | "argmin":
            return _position(low, reduction, indices[0], body)
        case "softmax":
            _, power, total = _shifted(low, indices, body)
            return low.pointwise("divide", power, total)
        case "log_softmax":
            shifted, _, total = _shifted(low, indices, body)
            return low.pointwise("subtract", shifted, low.pointwise("log", total))
        case "logsumexp":
            _, _, total = _shifted(low, indices, body)
            return low.pointwise("add", low.pointwise("log", total), _peak(low, indices, body))
        case _:
            raise AssertionError(reduction)


def reduce_to(low: Lowering, operation: str, indices: Sequence[str], body: Term) -> Term:
    """A pointwise operation over all values that the indices run through."""
    present = [name for name in indices if name in body.axes]
    count = prod(low.shape(name for name in indices if name not in present))
    result = reduce_over(low, operation, body, present)
    if count == 1 or operation in ("maximum", "minimum"):
        return result
    times = low.number(count, low.kind(body))
    if operation == "add":
        return low.pointwise("multiply", result, times)
    return low.pointwise("power", low.as_float(result), low.as_float(times))


def _position(low: Lowering, reduction: str, index: str, body: Term) -> Term:
    """Where the greatest or least value stands, the first one at a tie."""
    if index not in body.axes:
        return low.number(0, "int")
    axis = body.axes.index(index)
    axes = tuple(name for name in body.axes if name != index)
    attributes = (axis, low.extents[index])
    value = Value(reduction, (body.value,), attributes, low.shape(axes), "int")
    return Term(low.graph.add(value), axes)


def _peak(low: Lowering, indices: Sequence[str], body: Term) -> Term:
    """The maximum, made finite, so that a row of infinities is what its definition says."""
    largest = LARGEST[low.dtype]
    peak = reduce_over(low, "maximum", body, [name for name in body.axes if name in indices])
    least = low.pointwise("maximum", peak, low.number(-largest))
    return low.pointwise("minimum", least, low.number(largest))


def _shifted(low: Lowering, indices: Sequence[str], body: Term) -> tuple[Term, Term, Term]:
    """e - max(e), its exponential, and the sum of those over the indices."""
    axes = low.ordered((*body.axes, *indices))
    if len(axes) > len(body.axes):
        body = Term(low.expand(body, axes), axes)
    shifted = low.pointwise("subtract", body, _peak(low, indices, body))
    power = low.pointwise("exp", shifted)
    return shifted, power, reduce_over(low, "add", power, indices)
