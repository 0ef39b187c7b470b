"""`=` through computed subscripts: `T[2*i] = e` is right where no element is set twice.

Every index of the left must follow from the element: as a bare subscript, or out
of an affine one, which gives its indices away where it is a number in mixed radix
(`3*i + j` with j < 3). Where that does not tell (`T[i+j,i-j]`), the elements of a
small index space are counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import product
from math import prod

from einbatch.diagnostics import Diagnostic
from einbatch.elaborate.affine import affine_form
from einbatch.elaborate.integers import integer_values
from einbatch.elaborate.scans import Round, rounds_of
from einbatch.elaborate.statements import may_meet
from einbatch.ir import Expression, Extent, IndexValue, Number, Program, free_indices, transform

MOST_POINTS = 10_000
"""The most points of an index space whose elements are counted."""


def check_distinct(program: Program) -> Iterator[Diagnostic]:
    """Errors for `=` where two points of the index space may set one element."""
    sizes = {index.name: index.extent for index in program.indices} | dict(program.extents)
    steps = (*program.statements, *program.updates)
    for step in rounds_of(steps, integer_values(program)):
        if step.statement.operator == "=":
            yield from _meeting(step, sizes)


def _meeting(step: Round, sizes: Mapping[str, Expression]) -> Iterator[Diagnostic]:
    subscripts = step.statement.subscripts
    known = {s.index for s in subscripts if isinstance(s, IndexValue)}
    waiting = list(subscripts)
    while waiting := [s for s in waiting if set(free_indices(s)) - known]:
        told = [s for s in waiting if _tells(s, known, step, sizes)]
        if not told and _are_counted(step, sizes):
            return
        if not told:
            yield from may_meet("computed", waiting[0]).diagnostics
            return
        known.update(free_indices(*told))


def _are_counted(step: Round, sizes: Mapping[str, Expression]) -> bool:
    """True where a small index space sets as many elements as it has points."""

    def rule(node: Expression) -> Expression:
        return sizes.get(node.name, node) if isinstance(node, Extent) else node

    subscripts = step.statement.subscripts
    names = free_indices(*subscripts)
    extents = [size.value for name in names if isinstance(size := sizes[name], Number)]
    forms = [affine_form(transform(item, rule), step.constants) for item in subscripts]
    if len(extents) < len(names) or prod(extents) > MOST_POINTS or None in forms:
        return False
    known = [form for form in forms if form is not None]
    elements = {
        tuple(sum(c * point[name] for name, c in form.coefficients) for form in known)
        for values in product(*(range(int(extent)) for extent in extents))
        for point in [dict(zip(names, values, strict=True))]
    }
    return len(elements) == prod(extents)


def _tells(
    subscript: Expression, known: Collection[str], step: Round, sizes: Mapping[str, Expression]
) -> bool:
    """True where the subscript's value tells all the indices in it, given those that are known."""

    def rule(node: Expression) -> Expression:
        return sizes.get(node.name, node) if isinstance(node, Extent) else node

    form = affine_form(transform(subscript, rule), step.constants)
    if form is None:
        return False
    unknown = [pair for pair in form.coefficients if pair[0] not in known]
    digits = sorted((abs(c), name) for name, c in unknown if sizes[name] != Number(1))
    reached = 0
    for coefficient, name in digits:
        size = sizes[name]
        if coefficient <= reached:
            return False
        if isinstance(size, Number):
            reached += coefficient * (int(size.value) - 1)
        elif name != digits[-1][1]:
            return False
    return True
