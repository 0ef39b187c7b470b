"""Tree → program: names, extents, kinds and order checked; all errors at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from einbatch.diagnostics import Diagnostic, EinbatchError, diagnostic, fail
from einbatch.elaborate.binding import check_fixed
from einbatch.elaborate.declarations import Declared, resolve_declarations
from einbatch.elaborate.distinct import check_distinct
from einbatch.elaborate.expand import expand
from einbatch.elaborate.expressions import Resolver
from einbatch.elaborate.extents import Extents
from einbatch.elaborate.integers import mark_integers
from einbatch.elaborate.objective import check_cotangents, next_cotangent, resolve_objective
from einbatch.elaborate.order import check_order, check_update_order
from einbatch.elaborate.scope import Scope, collect, spellings
from einbatch.elaborate.shapes import Shapes
from einbatch.elaborate.statements import Typed, check_scans, resolve_statement, resolve_steps
from einbatch.elaborate.subscripts import check_subscripts
from einbatch.elaborate.wraps import fill_wraps
from einbatch.ir import Program, Statement, Step, free_indices, statements_of, written
from einbatch.syntax import nodes as tree

T = TypeVar("T")


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
    scope = collect(program)
    work = _Work(program, scope, list(scope.errors))
    return work.run(dict(set or {}), Shapes(scope, implicit_inputs))


@dataclass(slots=True)
class _Work:
    """One elaboration under way: the names, and what went wrong so far."""

    tree: tree.Tree
    scope: Scope
    errors: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def attempt(self, action: Callable[[], T]) -> T | None:
        """The action's result, or None with its errors kept."""
        try:
            return action()
        except EinbatchError as error:
            self.errors += [item for item in error.diagnostics if item not in self.errors]
            return None

    def stop_on_errors(self) -> None:
        if self.errors:
            raise EinbatchError(sorted(self.errors, key=_position))

    def run(self, overrides: dict[str, int | float], shapes: Shapes) -> Program:
        resolver = Resolver(self.scope, shapes.check_read)
        declared = resolve_declarations(self.tree, self.scope, resolver, overrides, self.attempt)
        split = self.objective_position()
        statements = self.resolve(resolver, self.tree.statements[:split], update=False)
        updates = self.resolve(resolver, self.tree.statements[split:], update=True)
        found = [
            self.attempt(lambda line=line: resolve_report(resolver, line))
            for line in self.tree.statements
            if isinstance(line, tree.Report)
        ]
        reports = tuple(report for report in found if report is not None)
        declared = declared.with_given(resolver.given())
        cotangent = next_cotangent(statements)
        self.errors += check_cotangents(shapes.cotangent_reads, self.tree, split, cotangent)
        objective = self.attempt(lambda: resolve_objective(self.tree, self.scope))
        self.stop_on_errors()
        unfinished = Program(
            batch=declared.batch,
            lets=declared.lets,
            statements=statements,
            objective=objective,
            reports=reports,
            updates=updates,
            train=declared.train,
            dtype=declared.dtype,
            cotangent=cotangent,
            spellings=spellings(self.scope),
        )
        result = self.with_extents(unfinished, shapes, declared)
        checks = (check_order, check_update_order, check_subscripts, check_distinct)
        for check in (*checks, check_objective):
            self.errors += check(result)
        self.stop_on_errors()
        return result

    def objective_position(self) -> int:
        for position, statement in enumerate(self.tree.statements):
            if isinstance(statement, tree.Minimize):
                return position
        return len(self.tree.statements)

    def resolve(
        self, resolver: Resolver, lines: tuple[tree.Statement, ...], *, update: bool
    ) -> tuple[Step, ...]:
        def one(typed: Typed) -> Statement | None:
            return self.attempt(lambda: resolve_statement(resolver, typed, update=update))

        for line in lines:
            self.errors += check_scans(resolver, line)
        return tuple(step for line in lines for step in resolve_steps(line, one))

    def with_extents(self, program: Program, shapes: Shapes, declared: Declared) -> Program:
        lets = {let.name: let.value for let in declared.lets}
        extents = Extents(lets, declared.batch)
        steps = (*program.statements, *program.updates, *program.reports)
        statements = tuple(statements_of(steps))
        self.attempt(lambda: shapes.unify(extents, declared, statements))
        self.errors += self.attempt(extents.conflicts) or ()
        self.stop_on_errors()
        program = replace(
            program,
            indices=shapes.indices(extents, declared),
            extents=shapes.named_extents(extents),
            tensors=tuple(shapes.tensors(extents, declared)),
        )
        self.errors += check_fixed(program)
        self.stop_on_errors()
        return mark_integers(fill_wraps(program))


def resolve_report(resolver: Resolver, report: tree.Report) -> Statement:
    """A report as a statement that sets a scalar of its name."""
    value = resolver.number(report.value)
    free = free_indices(value)
    if free:
        raise fail(
            "E0405",
            f"the report `{report.name.key}` is not a scalar: index `{free[0]}` is free in it",
            (report.value.span, "reported here"),
            help=f"average over it: `mean[{free[0]}](…)`",
        )
    return Statement(report.name.key, (), "=", value, (), report.name.span)


def check_objective(program: Program) -> list[Diagnostic]:
    """The objective is a scalar, or carries the batch index alone."""
    objective = program.objective
    if objective is None:
        return []
    tensor = program.tensor(objective.tensor)
    if tensor.kind == "value" and tensor.name not in written(program.statements):
        return [
            diagnostic(
                "E0410",
                f"`{objective.tensor}` is the objective before it has a value",
                (objective.span, "the objective here"),
                (tensor.span, "written here"),
                help="statements run from top to bottom; move this line below",
            )
        ]
    batch = None if program.batch is None else program.index(program.batch).extent
    if len(tensor.extents) <= 1 and all(extent == batch for extent in tensor.extents):
        return []
    count = len(tensor.extents)
    return [
        diagnostic(
            "E0411",
            f"`{objective.tensor}` has {count} {'axis' if count == 1 else 'axes'}; "
            "an objective is a scalar, or carries the batch index alone",
            (objective.span, "minimized here"),
            (tensor.span, "written here"),
            help="sum or average over the other indices first",
        )
    ]


def _position(item: Diagnostic) -> tuple[str, int]:
    if not item.labels:
        return ("", 0)
    span = item.labels[0].span
    return (span.source.name, span.start)
