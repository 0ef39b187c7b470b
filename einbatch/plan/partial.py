"""Writes that may lie outside: `(T[t+k] else 0) += e`, into a padded copy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

from einbatch.ir.build import add
from einbatch.ir.program import Number, Statement
from einbatch.ir.traverse import reads_itself
from einbatch.plan.graph import Layout, Value, contiguous
from einbatch.plan.lowering import Lowering
from einbatch.plan.operations import IDENTITY
from einbatch.plan.reads import LARGEST
from einbatch.plan.rounds import filled
from einbatch.plan.sliding import moving
from einbatch.plan.subscripts import Affine, find_affine, is_inside, is_outside, range_of, view_of

LowerStatement = Callable[[Lowering, Statement], None]


def write_in_part(low: Lowering, statement: Statement, before: int, lower: LowerStatement) -> bool:
    """Lowers such a statement; False where that takes a scatter. `before` is the target's value."""
    forms = [find_affine(low, subscript) for subscript in statement.subscripts]
    known = [form for form in forms if form is not None]
    shape = low.graph[before].shape
    if any(is_outside(low, form, n) for form, n in zip(forms, shape, strict=True)):
        low.current[statement.target] = before
        return True
    outside = [f for f, n in zip(known, shape, strict=False) if not is_inside(low, f, n)]
    if len(known) < len(forms):
        return False
    if not outside:
        lower(low, replace(statement, partial=False))
        return True
    if all(not moving(low, form) for form in outside) and statement.target in low.carried:
        return False  # whole rounds of the loops around: the write itself is guarded
    if statement.target in low.carried:
        return add_apart(low, statement, known, lower)
    if reads_itself(statement) or not low.uses("pad"):
        return False
    return _write_padded(low, statement, known, before, lower)


def _write_padded(
    low: Lowering, statement: Statement, forms: list[Affine], before: int, lower: LowerStatement
) -> bool:
    """Into a copy with room for all; then its part that is the tensor."""
    name = statement.target
    shape, kind = low.graph[before].shape, low.graph[before].kind
    ranges = [range_of(low, form) for form in forms]
    front = tuple(max(0, -least) for least, _ in ranges)
    after = [max(0, most - n + 1) for (_, most), n in zip(ranges, shape, strict=True)]
    padded = tuple(b + n + a for b, n, a in zip(front, shape, after, strict=True))
    if prod(padded) > LARGEST * max(prod(shape), prod(low.shape(statement.indices))):
        return False
    if name in low.current:
        wide = low.graph.add(Value("pad", (before,), (0, front), padded, kind))
    else:
        wide = filled(low, IDENTITY[statement.operator], padded, kind)
    low.current[name] = wide
    shifted = tuple(
        add(subscript, Number(start)) if start else subscript
        for subscript, start in zip(statement.subscripts, front, strict=True)
    )
    lower(low, replace(statement, subscripts=shifted, partial=False))
    steps = contiguous(padded)
    offset = sum(start * step for start, step in zip(front, steps, strict=True))
    low.current[name] = low.graph.view(low.current[name], shape, steps, offset)
    return True


def add_apart(
    low: Lowering, statement: Statement, forms: list[Affine], lower: LowerStatement
) -> bool:
    """Into zeros first, then added to the part of the tensor that this round writes."""
    if statement.operator not in ("+=", "-="):
        return False
    name, version = statement.target, low.current[statement.target]
    shape, strides = low.graph[version].shape, low.graph.layout(version).strides
    apart = [axis for axis, form in enumerate(forms) if moving(low, form)]
    fixed = [axis for axis in range(len(shape)) if axis not in apart]
    place = view_of(
        low,
        [forms[axis] for axis in fixed],
        Layout(version, tuple(strides[axis] for axis in fixed), 0),
        tuple(shape[axis] for axis in fixed),
        guarded=True,
    )
    if place is None:
        return False
    part = tuple(shape[axis] for axis in apart)
    moves = tuple(strides[axis] for axis in apart)
    kind = low.graph[version].kind
    own = f"{name} apart"
    low.tensors[own] = low.tensors[name]
    low.current[own] = filled(low, 0, part, kind)
    subscripts = tuple(statement.subscripts[axis] for axis in apart)
    lower(low, replace(statement, target=own, subscripts=subscripts))
    attributes = ("+=", part, moves, place.offset, place.steps, place.guards)
    arguments = (version, low.current.pop(own))
    low.current[name] = low.graph.add(Value("update", arguments, attributes, shape, kind))
    return True
