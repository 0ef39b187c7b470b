"""Terms that are 0 but at one element, `[i = e]` times something: put there, not multiplied out.

`P[b,ŷ] - [ŷ = label[b]]` is P with 1 taken off at `label[b]`, for each b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from einbatch.ir.program import Apply, Expression, IndexValue
from einbatch.ir.traverse import free_indices
from einbatch.plan.bounds import find_bounds
from einbatch.plan.graph import Value
from einbatch.plan.lowering import Lowering, Term
from einbatch.plan.reads import flat_position


@dataclass(frozen=True, slots=True)
class OneHot:
    """The condition `[index = position]` among the factors of a product, and its place there."""

    index: str
    position: Expression
    place: int


def find_one_hot(factors: tuple[Expression, ...], rest: tuple[Expression, ...]) -> OneHot | None:
    """The first such condition whose index nothing else in the product has."""
    for place, factor in enumerate(factors):
        others = (*factors[:place], *factors[place + 1 :], *rest)
        match factor:
            case Apply(primitive="iverson", arguments=(Apply(primitive="eq", arguments=(a, b)),)):
                for index, position in ((a, b), (b, a)):
                    if isinstance(index, IndexValue) and index.index not in free_indices(
                        position, *others
                    ):
                        return OneHot(index.index, position, place)
            case _:
                pass
    return None


def add_one_hot(
    low: Lowering,
    total: Term,
    one_hot: OneHot,
    operator: str,
    amount: Term,
    lower: Callable[[Lowering, Expression], Term],
) -> Term | None:
    """`total` with the amount put in; None where the total has not the axes that this takes."""
    position = _position(low, one_hot.position, lower)
    if position is None or one_hot.index not in total.axes:
        return None
    bounds = find_bounds(low.graph, position.value)
    if bounds is None or bounds[0] < 0 or bounds[1] >= low.extents[one_hot.index]:
        return None
    others = {name for name in total.axes if name != one_hot.index}
    if not others.issuperset((*position.axes, *amount.axes)):
        return None
    shape = low.shape(total.axes)
    places = [position if n == one_hot.index else low.range(n) for n in total.axes]
    flat = flat_position(low, places, shape)
    base = low.root(low.as_float(total).value)
    new = amount.value if not amount.axes else low.line(amount, flat.axes)
    arguments = (base, low.line(flat, flat.axes), new)
    value = Value("scatter_distinct", arguments, (operator,), shape, "float")
    return Term(low.graph.add(value), total.axes)


def _position(
    low: Lowering, expression: Expression, lower: Callable[[Lowering, Expression], Term]
) -> Term | None:
    exact = low.exact(expression)
    if exact is not None:
        return low.number(exact, "int") if isinstance(exact, int) else None
    term = lower(low, expression)
    return term if low.kind(term) == "int" else None
