"""When a guarded read is outside its tensor: the condition under which its `else` is taken."""

from __future__ import annotations

from collections.abc import Iterator

from einbatch.elaborate.affine import affine_form, with_extents
from einbatch.elaborate.polynomial import constant_difference
from einbatch.ir.build import ZERO, call
from einbatch.ir.program import Apply, Expression, IndexValue, Program, Read


def is_outside(program: Program, read: Read) -> Expression | None:
    """The condition that some subscript is outside; None where that never is."""
    extents = program.tensor(read.tensor).extents
    pairs = zip(read.subscripts, extents, strict=True)
    tests = [test for subscript, extent in pairs for test in _tests(program, subscript, extent)]
    if not tests:
        return None
    return tests[0] if len(tests) == 1 else Apply("or", tuple(tests))


def _tests(program: Program, subscript: Expression, extent: Expression) -> Iterator[Expression]:
    if isinstance(subscript, IndexValue) and program.index(subscript.index).extent == extent:
        return
    form = affine_form(subscript, {})
    known = {index.name: index.extent for index in program.indices}
    least = most = None
    if form is not None:
        least = constant_difference(with_extents(form.least(), known), ZERO)
        most = constant_difference(with_extents(form.greatest(), known), extent)
    if least is None or least < 0:
        yield call("lt", subscript, ZERO)
    if most is None or most >= 0:
        yield call("ge", subscript, extent)
