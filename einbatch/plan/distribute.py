"""Scans cut into the recurrence and what may be done for all rounds at once.

    scan t:                                        for b,t,i,j: g[b,t,j] += W[j,i]*x[b,t,i]
        g[b,t,j] += W[j,i]*x[b,t,i]                scan t:
        g[b,t,j] += U[j,k]*(h[b,t-1,k] else 0)         g[b,t,j] += U[j,k]*(h[b,t-1,k] else 0)
        h[b,t,j] = tanh(g[b,t,j])                      h[b,t,j] = tanh(g[b,t,j])
        s[j] += h[b,t,j]                           for b,t,j: s[j] += h[b,t,j]

Steps of the body that need each other in a circle stay in a scan of their own; the
others stand before or after, as their operands are ready (R. Allen and K. Kennedy,
"Automatic translation of Fortran programs to vector form", TOPLAS 9 (1987), 491-542).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import product as pairs
from math import prod

from einbatch.ir.program import (
    Apply,
    Expression,
    Read,
    Reduce,
    Scan,
    Statement,
    Step,
    statements_of,
)
from einbatch.ir.traverse import children, free_indices, walk
from einbatch.plan.lowering import Lowering
from einbatch.plan.subscripts import find_affine

CLASSES = {"+=": "sum", "-=": "sum", "*=": "product", "max=": "max", "min=": "min"}
"""Accumulations of one class may be done in any order."""


@dataclass(frozen=True, slots=True)
class Access:
    """A read (`operator` is empty) or a write; for each axis, by how much it is off the round."""

    tensor: str
    operator: str
    offsets: tuple[int | None, ...]


def distribute(low: Lowering, steps: Iterable[Step]) -> tuple[Step, ...]:
    """The steps, each scan cut as far as it may be."""
    result: list[Step] = []
    for step in steps:
        match step:
            case Statement():
                result.append(step)
            case Scan():
                result += _cut(low, replace(step, body=distribute(low, step.body)))
    return tuple(result)


def _cut(low: Lowering, scan: Scan) -> Iterator[Step]:
    body = scan.body
    accesses = [list(_accesses(low, step, scan.index)) for step in body]
    before: list[set[int]] = [set() for _ in body]
    for a in range(len(body)):
        for b in range(a, len(body)):
            for first, second in pairs(accesses[a], accesses[b]):
                for earlier, later in _orders(first, second, a, b, scan.down):
                    before[later].add(earlier)
    for group in _components(before):
        steps = tuple(body[place] for place in group)
        alone = len(group) == 1 and group[0] not in before[group[0]]
        whole = _for_all_rounds(low, steps[0], scan.index) if alone else None
        yield replace(scan, body=steps) if whole is None else whole


def _orders(first: Access, second: Access, a: int, b: int, down: bool) -> Iterator[tuple[int, int]]:
    """Which of two steps has to come first, for the sake of one access of each."""
    if first.tensor != second.tensor or not (first.operator or second.operator):
        return
    kinds = CLASSES.get(first.operator), CLASSES.get(second.operator)
    if kinds[0] is not None and kinds[0] == kinds[1]:
        return
    distances = [
        x - y
        for x, y in zip(first.offsets, second.offsets, strict=True)
        if x is not None and y is not None
    ]
    if not distances:
        yield from ((a, b), (b, a))
        return
    # The second is at an element so many rounds after the first was.
    later = -distances[0] if down else distances[0]
    if later > 0 or (later == 0 and a != b):
        yield (a, b)
    elif later < 0:
        yield (b, a)


def _accesses(low: Lowering, step: Step, index: str) -> Iterator[Access]:
    for statement in statements_of((step,)):
        offsets = _offsets(low, statement.subscripts, index)
        yield Access(statement.target, statement.operator, offsets)
        for expression in (*statement.subscripts, statement.value):
            yield from _reads(low, expression, index, False)


def _reads(low: Lowering, expression: Expression, index: str, hidden: bool) -> Iterator[Access]:
    """The reads; `hidden` where a reduction has the scan's index for itself."""
    if isinstance(expression, Read):
        offsets = _offsets(low, expression.subscripts, index)
        none = (None,) * len(offsets)
        yield Access(expression.tensor, "", none if hidden else offsets)
    if isinstance(expression, Reduce):
        hidden = hidden or index in expression.indices
    for child in children(expression):
        yield from _reads(low, child, index, hidden)


def _offsets(
    low: Lowering, subscripts: tuple[Expression, ...], index: str
) -> tuple[int | None, ...]:
    found: list[int | None] = []
    for subscript in subscripts:
        form = find_affine(low, subscript)
        terms = () if form is None else tuple((n, c) for n, c in form.coefficients if c)
        found.append(form.constant if form is not None and terms == ((index, 1),) else None)
    return tuple(found)


def _components(before: list[set[int]]) -> Iterator[list[int]]:
    """The steps that need each other, together; in an order that puts what is needed first."""
    needs = [_reachable(before, place) for place in range(len(before))]
    done: set[int] = set()
    while len(done) < len(before):
        for place in range(len(before)):
            circle = {k for k in needs[place] if place in needs[k]} | {place}
            if place not in done and needs[place] <= done | circle:
                done |= circle
                yield sorted(circle)
                break


def _reachable(before: list[set[int]], start: int) -> set[int]:
    found: set[int] = set()
    stack = list(before[start])
    while stack:
        place = stack.pop()
        if place not in found:
            found.add(place)
            stack.extend(before[place])
    return found


def _for_all_rounds(low: Lowering, step: Step, index: str) -> Step | None:
    """The step with the scan's index as one of its own; None where that is not the same."""
    match step:
        case Statement():
            if index not in free_indices(*step.subscripts, step.value):
                return None
            if not _is_light(low, step, index):
                return None
            return replace(step, indices=(index, *step.indices))
        case Scan(body=body):
            inner = [_for_all_rounds(low, item, index) for item in body]
            if any(item is None for item in inner):
                return None
            return replace(step, body=tuple(item for item in inner if item is not None))


def _is_light(low: Lowering, statement: Statement, index: str) -> bool:
    """True where nothing that is computed on the way is larger than the tensors themselves."""
    names = {statement.target}
    nodes = [node for node in walk(statement.value) if not isinstance(node, (Read,))]
    names.update(node.tensor for node in walk(statement.value) if isinstance(node, Read))
    largest = max(prod(low.shape_of(low.tensors[name])) for name in names)
    own = [*statement.indices, index]
    for node in nodes:
        heavy = isinstance(node, Apply) and node.primitive not in ("add", "mul", "neg", "div")
        heavy = heavy or (isinstance(node, Reduce) and node.reduction not in ("sum", "mean"))
        if heavy:
            inside = free_indices(*children(node))
            if prod(low.shape({*inside})) > largest:
                return False
    if statement.operator in ("+=", "-="):
        return True
    free = set(free_indices(*statement.subscripts))
    return prod(low.shape({*own} if statement.operator != "=" else free)) <= largest
