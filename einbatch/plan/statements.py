"""Statements lowered: what a tensor's value is after each."""

from __future__ import annotations

from dataclasses import replace

from einbatch.diagnostics import InternalError
from einbatch.ir.program import IndexValue, Reduce, Scan, Statement, Step
from einbatch.ir.traverse import free_indices, walk
from einbatch.plan.expressions import lower, lower_integer, lower_number
from einbatch.plan.graph import Value
from einbatch.plan.lowering import Lowering, Term
from einbatch.plan.operations import ACCUMULATE, IDENTITY
from einbatch.plan.reads import check_inside, flat_position
from einbatch.plan.reductions import reduce_to
from einbatch.plan.subscripts import find_view
from einbatch.plan.sums import lower_sum, products_of


def lower_steps(low: Lowering, steps: tuple[Step, ...], first: int) -> None:
    """Every statement, in order; the first one's number is given."""
    for number, step in enumerate(steps, first):
        if isinstance(step, Scan):
            raise InternalError("scans are not lowered yet")
        low.graph.origin = number
        lower_statement(low, step)


def lower_statement(low: Lowering, statement: Statement) -> None:
    """One statement: `low.current` holds the target's new value afterwards."""
    low.rank = _rank(statement)
    names = [item.index for item in statement.subscripts if isinstance(item, IndexValue)]
    if len(set(names)) == len(statement.subscripts):
        value = low.expand(_as_stored(low, statement, _whole(low, statement, names)), names)
    else:
        value = _partial(low, statement)
    low.current[statement.target] = value


def _rank(statement: Statement) -> dict[str, int]:
    """The order of axes: the left side's indices, then the others, then those reduced over."""
    names = [*free_indices(*statement.subscripts), *statement.indices]
    for node in walk(statement.value):
        if isinstance(node, Reduce):
            names += node.indices
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _as_stored(low: Lowering, statement: Statement, term: Term) -> Term:
    """The term in the kind of number that the target holds."""
    return low.cast(term, "int" if low.tensors[statement.target].integer else "float")


def _whole(low: Lowering, statement: Statement, names: list[str]) -> Term:
    """The new value of a tensor that is written at every element once."""
    old = low.current.get(statement.target)
    start = None if old is None else low.reduced(old, names)
    match statement.operator:
        case "+=" | "-=":
            return _sum(low, statement, start)
        case "=":
            return _assigned(low, statement)
        case operator:
            new = _reduced(low, statement)
            return new if start is None else low.pointwise(ACCUMULATE[operator], start, new)


def _assigned(low: Lowering, statement: Statement) -> Term:
    integer = low.tensors[statement.target].integer
    return (lower_integer if integer else lower_number)(low, statement.value)


def _bound(statement: Statement) -> list[str]:
    left = free_indices(*statement.subscripts)
    return [name for name in statement.indices if name not in left]


def _sum(low: Lowering, statement: Statement, start: Term | None, sign: int = 1) -> Term:
    """What `+=` and `-=` leave, on top of `start`."""
    products = products_of(low, statement.value, _bound(statement))
    if statement.operator == "-=":
        sign = -sign
    signed = [replace(item, coefficient=sign * item.coefficient) for item in products]
    return lower_sum(low, signed, lower, start)


def _reduced(low: Lowering, statement: Statement) -> Term:
    """The right side, reduced over the bound indices by the operator."""
    operator = statement.operator
    if operator == "=":
        return _assigned(low, statement)
    if operator == "+=":
        return _sum(low, statement, None)
    if operator == "-=":
        return _sum(low, statement, None, -1)
    value = lower_number(low, statement.value)
    return reduce_to(low, ACCUMULATE[operator], _bound(statement), value)


def _partial(low: Lowering, statement: Statement) -> int:
    """The new value of a tensor that is written at computed, constant or repeated subscripts."""
    new = _as_stored(low, statement, _reduced(low, statement))
    base = _base(low, statement)
    shape, kind = low.graph[base].shape, low.graph[base].kind
    view = find_view(low, statement.subscripts, low.graph.layout(base), shape)
    if view is not None and view.is_injective:
        attributes = (statement.operator, view.shape, view.strides, view.offset)
        arguments = (base, low.align(new, view.axes))
        return low.graph.add(Value("update", arguments, attributes, shape, kind))
    places = [
        check_inside(low, lower_integer(low, item), n, statement.target, axis, statement.span)
        for axis, (item, n) in enumerate(zip(statement.subscripts, shape, strict=True))
    ]
    flat = flat_position(low, places, shape)
    axes = low.ordered((*free_indices(*statement.subscripts), *new.axes))
    bare = {item.index for item in statement.subscripts if isinstance(item, IndexValue)}
    operation = "scatter_distinct" if bare.issuperset(axes) else "scatter"
    arguments = (base, low.line(flat, axes), low.line(new, axes))
    return low.graph.add(Value(operation, arguments, (statement.operator,), shape, kind))


def _base(low: Lowering, statement: Statement) -> int:
    """What the target holds before: its value, or the operator's identity everywhere."""
    old = low.current.get(statement.target)
    if old is not None and low.graph.is_contiguous(old) and low.graph.layout(old).root == old:
        return old
    tensor = low.tensors[statement.target]
    shape = low.shape_of(tensor)
    kind = "int" if tensor.integer else "float"
    if old is None:
        number = low.number(IDENTITY[statement.operator], "float")
        start = low.cast(number, kind).value
        old = low.graph.view(start, shape, (0,) * len(shape))
    return low.graph.add(Value("copy", (old,), (), shape, kind))
