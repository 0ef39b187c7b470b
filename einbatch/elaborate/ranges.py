"""The ranges of indices that only computed subscripts use: all that stays inside.

An index that no bare subscript, declaration or data fixes runs from 0 over the
largest range in which every access is inside, once all tensors it subscripts
are known. An axis that only computed subscripts write reaches as far as they do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass

from einbatch.diagnostics import Span, fail
from einbatch.elaborate.affine import Affine, affine_form, integer_of, range_left
from einbatch.elaborate.bounds import largest_reached
from einbatch.elaborate.extents import Extents, Variable
from einbatch.elaborate.polynomial import is_at_least, simplest
from einbatch.ir import (
    Expression,
    IndexValue,
    Number,
    Statement,
    reads,
)
from einbatch.ir.build import ONE, add, call


@dataclass(frozen=True, slots=True)
class Access:
    """One computed subscript: of which axis, its form (None: not affine), and whether it writes."""

    axis: Variable
    subscript: Expression
    form: Affine | None
    writes: bool
    span: Span

    @property
    def reaches(self) -> bool:
        """True of a write that an axis has to have room for; a cotangent has its tensor's axes."""
        return self.writes and ".grad" not in self.axis[1]


@dataclass(slots=True)
class Ranges:
    """Finds the loose extents of one program; `given` are the axes that data fix."""

    extents: Extents
    given: Iterable[Variable]
    constants: Mapping[str, int]
    members: Mapping[str, str]

    def infer(self, statements: Iterable[Statement]) -> None:
        """Fixes every loose index and axis that computed subscripts fix."""
        accesses = tuple(self.accesses(statements))
        while self.one(accesses):
            pass

    def one(self, accesses: tuple[Access, ...]) -> bool:
        """Fixes one more; False where there is none. Indices whose accesses are all known first."""
        for every in (True, False):
            for index in self.loose(accesses):
                found = self.left(index, accesses, every=every)
                if found is not None:
                    self.extents.settle_now(("index", index), *found)
                    return True
        return any(self.one_axis(accesses, every=every) for every in (True, False))

    def one_axis(self, accesses: tuple[Access, ...], *, every: bool) -> bool:
        """Fixes an axis by all that is written along it, or by what is known of that."""
        written = [a for a in accesses if a.reaches and not self.is_known(a.axis)]
        for axis in dict.fromkeys(self.extents.root(access.axis) for access in written):
            along = [a for a in written if self.extents.root(a.axis) == axis]
            settled = [a for a in along if self.settled(a)]
            found = [(self.reached(a), a.span) for a in settled]
            reached = [(value, span) for value, span in found if value is not None]
            if reached and (len(settled) == len(along) or not every):
                self.extents.settle_now(axis, *self.largest(reached))
                return True
        return False

    def largest(self, found: list[tuple[Expression, Span]]) -> tuple[Expression, Span]:
        """The largest of some extents, and the place of the first that may be it."""
        kept: list[tuple[Expression, Span]] = []
        for value, span in ((simplest(self.extents.resolve(v)), span) for v, span in found):
            if not any(is_at_least(other, value) for other, _ in kept):
                kept = [item for item in kept if not is_at_least(value, item[0])]
                kept.append((value, span))
        (value, span), *others = kept
        for other, _ in others:
            value = call("max", value, other)
        return value, span

    def reached(self, access: Access) -> Expression | None:
        """The extent that an axis needs for what is written there."""
        if access.form is not None:
            return add(access.form.greatest(), ONE)
        return largest_reached(access.subscript, self.members)

    def accesses(self, statements: Iterable[Statement]) -> Iterator[Access]:
        for statement in statements:
            if not statement.partial:
                yield from self.of(statement.target, statement.subscripts, writes=True)
            for expression in (*statement.subscripts, statement.value):
                for read in reads(expression):
                    if read.otherwise is None:
                        yield from self.of(read.tensor, read.subscripts, writes=False)

    def of(
        self, tensor: str, subscripts: tuple[Expression, ...], *, writes: bool
    ) -> Iterator[Access]:
        for k, subscript in enumerate(subscripts):
            if not isinstance(subscript, IndexValue):
                form = affine_form(subscript, self.constants)
                yield Access(("axis", tensor, str(k)), subscript, form, writes, subscript.span)

    def roots(self) -> Set[Variable]:
        return {self.extents.root(axis) for axis in self.given}

    def is_known(self, variable: Variable) -> bool:
        """True where a value or data fix the variable."""
        batch = self.extents.batch
        root = self.extents.root(variable)
        is_batch = batch is not None and root == self.extents.root(("index", batch.key))
        return is_batch or self.extents.is_fixed(variable) or root in self.roots()

    def loose(self, accesses: tuple[Access, ...]) -> list[str]:
        names = dict.fromkeys(
            index for a in accesses if a.form is not None for index, _ in a.form.coefficients
        )
        return [name for name in names if not self.is_known(("index", name))]

    def settled(self, access: Access) -> bool:
        """True where every index of the subscript is known."""
        indices = [] if access.form is None else [i for i, _ in access.form.coefficients]
        return all(self.is_known(("index", index)) for index in indices)

    def left(
        self, index: str, accesses: tuple[Access, ...], *, every: bool
    ) -> tuple[Expression, Span] | None:
        """What the accesses leave of an index, and the place of the first of them."""
        root = self.extents.root(("index", index))
        found: list[tuple[Expression, Span]] = []
        for access in accesses:
            form = access.form
            if form is None:
                continue
            own = [i for i, _ in form.coefficients if self.extents.root(("index", i)) == root]
            if not own or (access.writes and not self.is_known(access.axis)):
                continue
            others = [i for i, _ in form.coefficients if i not in own]
            ready = self.is_known(access.axis) and all(self.is_known(("index", i)) for i in others)
            if len(own) == 1 and ready:
                axis = self.extents.of(access.axis)
                found.append((range_left(form, own[0], axis), access.span))
            elif every:
                return None
        if not found:
            return None
        return self.smallest(index, found)

    def smallest(self, index: str, found: list[tuple[Expression, Span]]) -> tuple[Expression, Span]:
        resolved = [(simplest(self.extents.resolve(value)), span) for value, span in found]
        for value, span in resolved:
            count = integer_of(value)
            if count is not None and count < 1:
                raise fail(
                    "E0312",
                    f"no value of `{index}` keeps this subscript inside, not even 0",
                    (span, f"outside where `{index}` is 0"),
                    help="correct the offset, or say what is read outside: `(x[…] else 0)`",
                )
        numbers = [(v.value, v, s) for v, s in resolved if isinstance(v, Number)]
        least = [min(numbers, key=lambda item: item[0])[1:]] if numbers else []
        symbolic = [(v, s) for v, s in resolved if not isinstance(v, Number)]
        (value, span), *others = [*symbolic, *least]
        for other, _ in others:
            if other != value:
                value = call("min", value, other)
        return value, span
