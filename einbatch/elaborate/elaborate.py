"""Tree → program: names, extents, kinds and order checked; all errors at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from einbatch.diagnostics import Diagnostic, EinbatchError, deep_stack
from einbatch.elaborate.attempts import Attempts
from einbatch.elaborate.binding import check_batch, check_fixed
from einbatch.elaborate.constants import constants_of
from einbatch.elaborate.declarations import Declared, resolve_declarations
from einbatch.elaborate.distinct import check_distinct
from einbatch.elaborate.expand import expand
from einbatch.elaborate.expressions import Resolver
from einbatch.elaborate.extents import Extents
from einbatch.elaborate.integers import mark_integers
from einbatch.elaborate.objective import (
    check_derivatives,
    check_objectives,
    next_cotangent,
    resolve_objectives,
)
from einbatch.elaborate.order import check_order
from einbatch.elaborate.scope import Scope, collect, spellings
from einbatch.elaborate.shapes import Shapes
from einbatch.elaborate.statements import (
    Typed,
    check_scans,
    resolve_report,
    resolve_statement,
    resolve_steps,
    target_name,
)
from einbatch.elaborate.subscripts import check_subscripts
from einbatch.elaborate.wraps import fill_wraps
from einbatch.ir import Program, Statement, Step, statements_of
from einbatch.syntax import nodes as tree


@deep_stack()
def elaborate(
    program: tree.Tree,
    *,
    set: Mapping[str, int | float] | None = None,  # noqa: A002 - the word of the interface
    implicit_inputs: bool = False,
) -> Program:
    """The checked program of a tree.

    `set` overrides constants declared with `let`. With `implicit_inputs`, a tensor
    that is read, never written and never declared is an input; otherwise it is an
    error. Raises EinbatchError with every error of the program.
    """
    program = expand(program)
    work = _Work(tree=program, scope=collect(program))
    return work.run(set or {}, implicit_inputs)


@dataclass(slots=True)
class _Work(Attempts):
    """One elaboration under way: the tree, its names, and what went wrong so far."""

    tree: tree.Tree = field(kw_only=True)
    scope: Scope = field(kw_only=True)
    failed: set[str] = field(default_factory=set[str], kw_only=True)
    """The targets of the statements with an error: they count as written."""

    def run(self, overrides: Mapping[str, int | float], implicit_inputs: bool) -> Program:
        self.keep(self.scope.errors)
        shapes = Shapes(self.scope, self, implicit_inputs=implicit_inputs)
        program, declared = self.resolved(shapes, overrides)
        batch = None if declared.batch is None else self.scope.symbols[declared.batch].identifier
        extents = Extents({let.name: let.value for let in declared.lets}, batch)
        everything = (*program.statements, *program.updates, *program.reports)
        shapes.unify(extents, declared, tuple(statements_of(everything)))
        self.keep(extents.conflicts())
        for constant in constants_of(declared):
            self.attempt(lambda constant=constant: extents.resolve(constant))
        self.keep(extents.errors)
        program = replace(
            program,
            indices=shapes.indices(extents, declared),
            extents=shapes.named_extents(extents),
            tensors=tuple(shapes.tensors(extents, declared)),
        )
        self.keep(check_order(program, self.failed))
        self.keep(check_batch(program))
        self.stop_on_errors()
        self.keep(check_fixed(program))
        self.stop_on_errors()
        program = mark_integers(fill_wraps(program))
        for check in (check_subscripts, check_distinct, check_objectives, check_derivatives):
            self.keep(check(program))
        self.stop_on_errors()
        return program

    def resolved(
        self, shapes: Shapes, overrides: Mapping[str, int | float]
    ) -> tuple[Program, Declared]:
        """The program without indices and tensors, from everything that has no error."""
        resolver = Resolver(self.scope, shapes.check_read)
        declared = resolve_declarations(self.tree, self.scope, overrides, self)
        forward, *late = self.sections()
        statements = self.statements(resolver, forward, update=False)
        updates: tuple[Step, ...] = ()
        after: list[int] = []
        for section in late:
            after.append(len(updates))
            updates += self.statements(resolver, section, update=True)
        reports = self.reports(resolver)
        declared = declared.with_given(resolver.given())
        cotangent = next_cotangent(statements)
        objectives = resolve_objectives(self.tree, self.scope, self)
        program = Program(
            batch=declared.batch,
            lets=declared.lets,
            statements=statements,
            objectives=tuple(
                replace(objective, after=after[place]) for place, objective in objectives
            ),
            reports=reports,
            updates=updates,
            train=declared.train,
            dtype=declared.dtype,
            cotangent=cotangent,
            spellings=spellings(self.scope),
        )
        return program, declared

    def sections(self) -> list[tuple[tree.Statement, ...]]:
        """The lines before the first objective, then those from each one to the next."""
        lines = self.tree.statements
        starts = [k for k, line in enumerate(lines) if isinstance(line, tree.Minimize)]
        ends = [*starts, len(lines)]
        return [lines[a:b] for a, b in pairwise((0, *ends))]

    def statements(
        self, resolver: Resolver, lines: tuple[tree.Statement, ...], *, update: bool
    ) -> tuple[Step, ...]:
        def one(typed: Typed) -> Statement | None:
            statement = resolve_statement(resolver, typed, self, update=update)
            if statement is None:
                self.failed.add(target_name(typed.assign.target).key)
            return statement

        for line in lines:
            self.keep(check_scans(resolver, line))
        return tuple(step for line in lines for step in resolve_steps(line, one))

    def reports(self, resolver: Resolver) -> tuple[Statement, ...]:
        lines = [line for line in self.tree.statements if isinstance(line, tree.Report)]
        found = [self.attempt(lambda line=line: resolve_report(resolver, line)) for line in lines]
        return tuple(report for report in found if report is not None)

    def stop_on_errors(self) -> None:
        """EinbatchError with everything kept, in the order of the text; a missing name once."""
        found: dict[Diagnostic | str, Diagnostic] = {}
        for item in sorted(self.errors, key=_position):
            found.setdefault(item.message if item.code == "E0202" else item, item)
        if found:
            raise EinbatchError(found.values())


def _position(item: Diagnostic) -> tuple[str, int]:
    if not item.labels:
        return ("", 0)
    span = item.labels[0].span
    return (span.source.name, span.start)
