"""Short loops: which indices to loop over so that no patch tensor has to be made.

In `y[b,r] += K[u]*x[b,r+u]` the subscript `r+u` slides: all its elements over r and u
are as many as both extents together make, though x has few. In one round of a loop
over u there is a plain view of x.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from einbatch.ir.program import Expression, Read, Reduce, Statement
from einbatch.ir.traverse import children, free_indices
from einbatch.plan.graph import Layout, Value, contiguous
from einbatch.plan.lowering import Lowering, Term
from einbatch.plan.operations import IDENTITY
from einbatch.plan.rounds import filled, memory_of, repeat
from einbatch.plan.subscripts import Affine, find_affine, view_of

LEAST = 2
"""A loop over fewer rounds is none."""


def find_sliding(
    low: Lowering, expressions: Sequence[Expression], bound: Iterable[str]
) -> tuple[str, ...]:
    """The indices to loop over in a reduction over `bound`; none where nothing slides."""
    if not low.uses("slide"):
        return ()
    inside = set(low.free(free_indices(*expressions)))
    gone = set(bound)
    groups: list[tuple[str, ...]] = []
    for expression in expressions:
        for read in own_reads(expression):
            for subscript in read.subscripts:
                form = find_affine(low, subscript)
                names = () if form is None else moving(low, form)
                if gone.intersection(names) and inside.issuperset(names):
                    groups.append(names)
    return all_but_longest(low, groups)


def moving(low: Lowering, form: Affine) -> tuple[str, ...]:
    """The indices that a subscript runs through."""
    return low.free(name for name, coefficient in form.coefficients if coefficient)


def all_but_longest(low: Lowering, groups: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Of each group of indices that move along one axis together, all but the longest."""
    looped: dict[str, None] = {}
    for group in groups:
        left = [name for name in group if name not in looped and low.extents[name] >= LEAST]
        longest = max(left, key=lambda name: low.extents[name], default=None)
        looped.update((name, None) for name in left if name != longest)
    return tuple(looped)


def own_reads(expression: Expression) -> Iterator[Read]:
    """The reads outside inner reductions, which have loops of their own."""
    match expression:
        case Reduce():
            return
        case Read():
            yield expression
            if expression.otherwise is not None:
                yield from own_reads(expression.otherwise)
        case _:
            for child in children(expression):
                yield from own_reads(child)


def find_left_loops(low: Lowering, statement: Statement) -> tuple[str, ...]:
    """The indices of loops in each round of which a statement writes no element twice."""
    if statement.operator == "=" or not low.uses("slide"):
        return ()
    forms = [find_affine(low, subscript) for subscript in statement.subscripts]
    known = [form for form in forms if form is not None]
    if len(known) < len(forms):
        return ()
    old = low.current.get(statement.target)
    shape = low.shape_of(low.tensors[statement.target]) if old is None else low.graph[old].shape
    view = view_of(low, forms, Layout(0, contiguous(shape), 0), shape)
    if view is not None and view.is_injective:
        return ()
    return all_but_longest(low, [moving(low, form) for form in known])


def reduce_in_loops(
    low: Lowering,
    looped: Sequence[str],
    axes: tuple[str, ...],
    operator: str,
    lower: Callable[[], Term],
) -> Term:
    """A reduction, one part of it a round: each put or accumulated where it belongs.

    `axes` are the indices of the result, those of loops too; `lower` gives the part.
    """
    shape = low.shape(axes)
    strides = dict(zip(axes, contiguous(shape), strict=True))
    inner = tuple(name for name in axes if name not in looped)
    once = set(axes).issuperset(looped)

    def body(version: int) -> int:
        term = low.as_float(lower())
        steps = tuple(
            part
            for name in looped
            if strides.get(name)
            for part in (low.fixed[name], strides[name])
        )
        moves = tuple(strides[name] for name in inner)
        attributes = ("=" if once else operator, low.shape(inner), moves, 0, steps, ())
        arguments = (version, low.align(term, inner))
        return low.graph.add(Value("update", arguments, attributes, shape, "float"))

    start = memory_of(low, filled(low, IDENTITY[operator], shape))
    return Term(repeat(low, looped, start, body), axes)
