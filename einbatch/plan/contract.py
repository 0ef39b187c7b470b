"""Products of terms, summed over indices: one matrix product for each pair of factors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from einbatch.plan.graph import Shape, Value, contiguous, merged_stride
from einbatch.plan.lowering import Contraction, Lowering, Term
from einbatch.plan.order_contractions import Pair, in_turn, order_contractions

Names = tuple[str, ...]
LONGEST = 2048
"""The most numbers that are added up by a product with ones."""


def contract(low: Lowering, factors: Sequence[Term], bound: Sequence[str]) -> Term:
    """The product of the factors, summed over `bound`; each of those is an axis of some factor."""
    kept = low.ordered(name for term in factors for name in term.axes if name not in bound)
    left = [sum_over(low, term, _lonely(k, factors, bound)) for k, term in enumerate(factors)]
    for first, second in _order(low, left, kept):
        b, a = left.pop(second), left.pop(first)
        others = {name for term in left for name in term.axes}
        left.append(_pair(low, a, b, others.union(kept)))
    return sum_over(low, left[0], [name for name in left[0].axes if name in bound])


def _order(low: Lowering, factors: Sequence[Term], kept: Names) -> tuple[Pair, ...]:
    if low.uses("order_contractions"):
        return order_contractions([term.axes for term in factors], kept, low.extents)
    return in_turn(len(factors))


def multiply_all(low: Lowering, factors: Sequence[Term]) -> Term:
    """The product of the factors at each point, small ones first."""
    left = list(factors)
    while len(left) > 1:
        ordered = len(left) <= 12 and low.uses("order_contractions")
        a, b = _cheapest_pair(low, left) if ordered else (0, 1)
        second, first = left.pop(b), left.pop(a)
        left.insert(a, _multiply(low, first, second))
    return left[0]


def sum_over(low: Lowering, term: Term, names: Sequence[str]) -> Term:
    """The term summed over some of its axes."""
    return reduce_over(low, "add", low.as_float(term), names) if names else term


def _sum_by_product(low: Lowering, term: Term, names: Sequence[str]) -> Term | None:
    """A sum as a matrix product with ones, which BLAS does faster; None where that copies.

    Long sums are left to NumPy, which adds up pairwise.
    """
    kept = tuple(name for name in term.axes if name not in names)
    gone = tuple(name for name in term.axes if name in names)
    count = prod(low.shape(gone))
    if low.kind(term) != "float" or not kept or count > LONGEST:
        return None
    matrix = _matrix_view(low, term, (), kept, gone)
    if matrix is None:
        return None
    one = low.graph.view(low.number(1).value, (count,), (0,))
    ones = low.graph.add(Value("copy", (one,), (), (count,), "float"))
    column = low.graph.view(ones, (count, 1), (1, 0))
    view = ((prod(low.shape(kept)), 1), contiguous((prod(low.shape(kept)), 1)), 1.0)
    value = Value("matmul", (matrix, column), view, low.shape(kept), "float")
    return Term(low.graph.add(value), kept)


def reduce_over(low: Lowering, operation: str, term: Term, names: Sequence[str]) -> Term:
    """The term reduced over some of its axes by a pointwise operation."""
    if not names:
        return term
    by_product = operation == "add" and low.uses("sum_by_products")
    product = _sum_by_product(low, term, names) if by_product else None
    if product is not None:
        return product
    places = tuple(place for place, name in enumerate(term.axes) if name in names)
    axes = tuple(name for name in term.axes if name not in names)
    kind = low.kind(term)
    value = Value("reduce", (term.value,), (operation, places), low.shape(axes), kind)
    return Term(low.graph.add(value), axes)


def _lonely(place: int, factors: Sequence[Term], bound: Sequence[str]) -> list[str]:
    """The bound indices that only the factor at `place` has."""
    others = {name for k, term in enumerate(factors) if k != place for name in term.axes}
    return [name for name in factors[place].axes if name in bound and name not in others]


def _cheapest_pair(low: Lowering, terms: Sequence[Term]) -> tuple[int, int]:
    pairs = [(a, b) for b in range(len(terms)) for a in range(b)]

    def cost(pair: tuple[int, int]) -> int:
        names = {*terms[pair[0]].axes, *terms[pair[1]].axes}
        return prod(low.shape(names))

    return min(pairs, key=lambda pair: (cost(pair), pair[1], pair[0]))


def _multiply(low: Lowering, a: Term, b: Term) -> Term:
    """The product at each point; of two conditions, whether both hold."""
    if low.kind(a) == low.kind(b) == "bool":
        return low.pointwise("logical_and", a, b)
    if low.kind(a) != low.kind(b):
        # NumPy takes longer over a product of two kinds than over a cast and a product.
        a, b = low.as_float(a), low.as_float(b)
    return low.pointwise("multiply", a, b)


@dataclass(frozen=True, slots=True)
class _Roles:
    """What each index does in a product of two factors."""

    batch: Names
    rows: Names
    columns: Names
    contracted: Names


def _pair(low: Lowering, a: Term, b: Term, kept: set[str]) -> Term:
    """The product of two factors, summed over what they share and nobody else wants."""
    shared = [name for name in a.axes if name in b.axes]
    roles = _Roles(
        batch=low.ordered(name for name in shared if name in kept),
        rows=tuple(name for name in a.axes if name not in shared),
        columns=tuple(name for name in b.axes if name not in shared),
        contracted=tuple(name for name in shared if name not in kept),
    )
    if not roles.contracted:
        return _multiply(low, a, b)
    a, b = low.as_float(a), low.as_float(b)
    return _matrix_product(low, a, b, _with_best_order(low, a, b, roles))


def _with_best_order(low: Lowering, a: Term, b: Term, roles: _Roles) -> _Roles:
    """The contracted indices in the order of one factor, whichever makes for less copying."""
    if len(roles.contracted) < 2:
        return roles
    orders = [tuple(name for name in t.axes if name in roles.contracted) for t in (a, b)]
    choices = [_Roles(roles.batch, roles.rows, roles.columns, order) for order in orders]

    def copied(choice: _Roles) -> int:
        left = (choice.batch, choice.rows, choice.contracted)
        right = (choice.batch, choice.contracted, choice.columns)
        return sum(
            0 if _matrix_view(low, term, *groups) is not None else low.graph[term.value].size
            for term, groups in ((a, left), (b, right))
        )

    return min(choices, key=copied)


def _matrix_product(low: Lowering, a: Term, b: Term, roles: _Roles) -> Term:
    left = _matrices(low, a, roles.batch, roles.rows, roles.contracted)
    right = _matrices(low, b, roles.batch, roles.contracted, roles.columns)
    axes = low.ordered((*roles.batch, *roles.rows, *roles.columns))
    view = _result_view(low, axes, roles)
    if view is None:
        # Rows stay together, and columns: which of them first, their first indices say.
        groups = sorted((roles.rows, roles.columns), key=lambda group: [*map(axes.index, group)])
        axes = (*roles.batch, *groups[0], *groups[1])
        view = _result_view(low, axes, roles)
    assert view is not None
    value = low.graph.add(Value("matmul", (left, right), (*view, 1.0), low.shape(axes), "float"))
    flops = 2 * prod(low.shape((*axes, *roles.contracted)))
    low.contractions.append(Contraction(low.graph.origin, value, a.axes, b.axes, axes, flops))
    return Term(value, axes)


def _result_view(low: Lowering, axes: Names, roles: _Roles) -> tuple[Shape, Shape] | None:
    """An array over `axes` as a stack of matrices; None where BLAS can't write to it."""
    strides = dict(zip(axes, contiguous(low.shape(axes)), strict=True))
    merged: list[tuple[int, int]] = [(low.extents[name], strides[name]) for name in roles.batch]
    for group in (roles.rows, roles.columns):
        stride = merged_stride([(low.extents[name], strides[name]) for name in group])
        if stride is None:
            return None
        merged.append((prod(low.shape(group)), stride))
    shape = tuple(extent for extent, _ in merged)
    found = tuple(stride for _, stride in merged)
    return (shape, found) if _is_blas(shape, found) else None


def _matrix_view(
    low: Lowering, term: Term, batch: Names, rows: Names, columns: Names
) -> int | None:
    """A term as a stack of matrices, where that is a view that BLAS takes."""
    places = [tuple(term.axes.index(name) for name in group) for group in (rows, columns)]
    groups = (*((term.axes.index(name),) for name in batch), *places)
    view = low.graph.merged(term.value, groups)
    if view is None or not _is_blas(low.graph[view].shape, low.graph.layout(view).strides):
        return None
    return view


def _matrices(low: Lowering, term: Term, batch: Names, rows: Names, columns: Names) -> int:
    """A term as a stack of matrices, copied where no view will do."""
    view = _matrix_view(low, term, batch, rows, columns)
    if view is not None:
        return view
    axes = (*batch, *_with_longest_runs(low, term, rows, columns))
    copy = low.graph.add(Value("copy", (low.align(term, axes),), (), low.shape(axes), "float"))
    view = _matrix_view(low, Term(copy, axes), batch, rows, columns)
    assert view is not None
    return view


def _with_longest_runs(low: Lowering, term: Term, rows: Names, columns: Names) -> Names:
    """The axes of a matrix or of its transpose: those that are copied in longer runs."""
    strides = dict(zip(term.axes, low.graph.layout(term.value).strides, strict=True))

    def run(names: Names) -> tuple[int, int]:
        wide = [name for name in names if low.extents[name] > 1]
        return (abs(strides[wide[-1]]), -low.extents[wide[-1]]) if wide else (0, 0)

    straight, turned = (*rows, *columns), (*columns, *rows)
    return turned if run(turned) < run(straight) else straight


def _is_blas(shape: Shape, strides: Shape) -> bool:
    """True where the last two axes are a matrix, or its transpose, without gaps inside a row."""
    (m, n), (row, column) = shape[-2:], strides[-2:]
    if m == 1 or n == 1:
        return (m == 1 or row >= 1) and (n == 1 or column >= 1)
    return (column == 1 and row >= n) or (row == 1 and column >= m)
