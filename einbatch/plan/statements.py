"""Statements lowered: what a tensor's value is after each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from einbatch.ir.program import IndexValue, Reduce, Scan, Statement, Step, statements_of
from einbatch.ir.traverse import free_indices, reads_itself, walk
from einbatch.plan.blocks import find_left_block
from einbatch.plan.expressions import lower, lower_integer, lower_number, reduce_number
from einbatch.plan.graph import Layout, Shape, Value, contiguous
from einbatch.plan.lowering import Lowering, Term
from einbatch.plan.operations import ACCUMULATE, IDENTITY
from einbatch.plan.partial import add_apart, write_in_part
from einbatch.plan.reads import check_inside, clamped, flat_position, whole_axes
from einbatch.plan.rounds import enter, filled, leave, memory_of, repeat
from einbatch.plan.sliding import find_left_loops
from einbatch.plan.subscripts import find_affine, find_view
from einbatch.plan.sums import lower_sum, products_of


def lower_steps(low: Lowering, steps: tuple[Step, ...], first: int) -> None:
    """Every statement, in order; the first one's number is given."""
    for step in steps:
        low.graph.origin = first
        match step:
            case Statement():
                lower_statement(low, step)
                first += 1
            case Scan():
                lower_scan(low, step, first)
                first += sum(1 for _ in statements_of(step.body))


def lower_scan(low: Lowering, scan: Scan, first_number: int) -> None:
    """The body as a loop; what it writes lies in memory that lasts."""
    firsts: dict[str, Statement] = {}
    for statement in statements_of(scan.body):
        firsts.setdefault(statement.target, statement)
    outer = set(low.carried)
    for name, first in firsts.items():
        _carry(low, name, first)
    names = list(firsts)
    loop, carries = enter(low, scan.index, scan.down, [low.current[name] for name in names])
    low.current.update(zip(names, carries, strict=True))
    with low.scanning(scan.index):
        lower_steps(low, scan.body, first_number)
    lasts = leave(low, loop, carries, [low.current[name] for name in names])
    low.current.update(zip(names, lasts, strict=True))
    low.carried = outer


def _carry(low: Lowering, name: str, first: Statement) -> None:
    """The tensor in memory that loops may write, if it is not yet."""
    if name not in low.carried:
        low.current[name] = memory_of(low, _before(low, first))
        low.carried.add(name)


def lower_statement(low: Lowering, statement: Statement) -> None:
    """One statement: `low.current` holds the target's new value afterwards."""
    low.rank = _rank(low, statement)
    if statement.partial:
        before = _before(low, statement)
        if write_in_part(low, statement, before, lower_statement):
            return
    old = low.current.get(statement.target)
    shape = low.shape_of(low.tensors[statement.target]) if old is None else low.graph[old].shape
    names = whole_axes(low, statement.subscripts, shape)
    if names is not None and statement.target not in low.carried:
        value = low.expand(_as_stored(low, statement, _whole(low, statement, names)), names)
    else:
        value = _partial(low, statement)
    low.current[statement.target] = value


def _rank(low: Lowering, statement: Statement) -> dict[str, int]:
    """The order of axes: scans', the left side's, the others, then those reduced over."""
    names = [*low.scanned, *free_indices(*statement.subscripts), *statement.indices]
    for node in walk(statement.value):
        if isinstance(node, Reduce):
            names += node.indices
    return {name: place for place, name in enumerate(dict.fromkeys(names))}


def _as_stored(low: Lowering, statement: Statement, term: Term) -> Term:
    """The term in the kind of number that the target holds."""
    return low.cast(term, "int" if low.tensors[statement.target].integer else "float")


def _whole(low: Lowering, statement: Statement, names: tuple[str, ...]) -> Term:
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
    return reduce_number(low, operator, _bound(statement), statement.value)


def _partial(low: Lowering, statement: Statement) -> int:
    """The new value of a tensor that is written in part, or at repeated subscripts."""
    looped = find_left_loops(low, statement)
    if not reads_itself(statement):
        block = find_left_block(low, statement, _bound(statement))
        if block is not None:
            return _in_blocks(low, statement, block, looped)
        if looped:
            return _repeated(low, statement, looped)
    if looped and statement.target in low.carried:
        forms = [find_affine(low, subscript) for subscript in statement.subscripts]
        known = [form for form in forms if form is not None]
        if add_apart(low, statement, known, lower_statement):
            return low.current[statement.target]
    new = _as_stored(low, statement, _reduced(low, statement))
    base = _base(low, statement)
    return _put(low, statement, base, new)


def _in_blocks(low: Lowering, statement: Statement, block: str, looped: tuple[str, ...]) -> int:
    """The statement once for each value of one index, its sum first, then put where it belongs.

    A contraction of its own for each point of `looped` would be a narrow one.
    """
    name = statement.target
    carried = set(low.carried)
    _carry(low, name, statement)
    inner = replace(statement, indices=tuple(i for i in statement.indices if i != block))

    def body(version: int) -> int:
        low.current[name] = version
        # What is put lies in long pieces: the axes that slide come last.
        alone = [item.index for item in statement.subscripts if isinstance(item, IndexValue)]
        order = dict.fromkeys((*alone, *looped, *free_indices(*statement.subscripts)))
        low.rank = {index: place for place, index in enumerate(order)}
        new = _as_stored(low, inner, _reduced(low, inner))

        def put(inside: int) -> int:
            part = new
            for index in looped:
                part = low.at_round(part, index)
            return _put(low, inner, inside, part)

        return repeat(low, looped, version, put)

    value = repeat(low, (block,), low.current[name], body)
    low.carried = carried
    return value


def _repeated(low: Lowering, statement: Statement, looped: tuple[str, ...]) -> int:
    """The statement once for each point of some of its indices."""
    name = statement.target
    carried = set(low.carried)
    _carry(low, name, statement)
    inner = tuple(index for index in statement.indices if index not in looped)

    def body(version: int) -> int:
        low.current[name] = version
        lower_statement(low, replace(statement, indices=inner))
        return low.current[name]

    value = repeat(low, looped, low.current[name], body)
    low.carried = carried
    return value


def _put(low: Lowering, statement: Statement, base: int, new: Term) -> int:
    """The base with the new elements put or accumulated in."""
    shape, kind = low.graph[base].shape, low.graph[base].kind
    layout = Layout(base, contiguous(shape), 0)
    partial = statement.partial
    view = find_view(low, statement.subscripts, layout, shape, guarded=partial)
    if view is not None and view.is_injective and set(view.axes).issuperset(new.axes):
        where = (view.shape, view.strides, view.offset, view.steps, view.guards)
        arguments = (base, low.align(new, view.axes))
        return low.graph.add(Value("update", arguments, (statement.operator, *where), shape, kind))
    terms = [lower_integer(low, item) for item in statement.subscripts]
    inside = low.number(1, "bool")
    if partial:
        inside, places = clamped(low, terms, shape)
    else:
        places = [
            check_inside(low, term, n, statement.target, axis, statement.span)
            for axis, (term, n) in enumerate(zip(terms, shape, strict=True))
        ]
    chosen = low.constant_of(inside) is None
    whole = (
        ()
        if chosen or statement.operator == "=" or not low.uses("scatter_rows")
        else _whole_pieces(low, statement, places, shape, new)
    )
    count = len(shape) - len(whole)
    flat = flat_position(low, places[:count], shape[:count])
    left = low.free(free_indices(*statement.subscripts))
    axes = low.ordered((*left, *inside.axes, *new.axes))
    axes = tuple(name for name in axes if name not in whole)
    line, items = low.line(flat, axes), low.line(new, (*axes, *whole))
    if whole:
        piece = prod(low.shape(whole))
        items = low.graph.view(items, (prod(low.shape(axes)), piece), (piece, 1))
    bare = {item.index for item in statement.subscripts if isinstance(item, IndexValue)}
    operation = "scatter_distinct" if bare.issuperset(axes) else "scatter"
    arguments = (base, line, items, *([low.line(inside, axes)] if chosen else []))
    return low.graph.add(Value(operation, arguments, (statement.operator,), shape, kind))


def _whole_pieces(
    low: Lowering, statement: Statement, places: Sequence[Term], shape: Shape, new: Term
) -> tuple[str, ...]:
    """The indices of the last axes that are written whole wherever anything is: `E[w[b],i]`."""
    names: list[str] = []
    for axis in range(len(shape) - 1, 0, -1):
        item = statement.subscripts[axis]
        others = {name for place in places[:axis] for name in place.axes} | set(names)
        own = item.index if isinstance(item, IndexValue) else ""
        if places[axis].axes != (own,) or own in others or own not in new.axes:
            break
        if low.extents[own] != shape[axis]:
            break
        names.insert(0, own)
    return tuple(names) if prod(low.shape(names)) > 1 else ()


def _base(low: Lowering, statement: Statement) -> int:
    """What the target holds before, in memory of its own; a number everywhere takes none."""
    old = _before(low, statement)
    root = low.graph.layout(old).root
    if (low.graph.is_contiguous(old) and root == old) or low.graph[root].operation == "constant":
        return old
    return low.graph.add(Value("copy", (old,), (), low.graph[old].shape, low.graph[old].kind))


def _before(low: Lowering, statement: Statement) -> int:
    """What the target holds before: its value, or the operator's identity everywhere."""
    old = low.current.get(statement.target)
    if old is not None:
        return old
    tensor = low.tensors[statement.target]
    kind = "int" if tensor.integer else "float"
    return filled(low, IDENTITY[statement.operator], low.shape_of(tensor), kind)
