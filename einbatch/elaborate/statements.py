"""Statements of the tree, each checked by itself: loop lists, targets, operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from einbatch.diagnostics import Diagnostic, EinbatchError, Span, diagnostic, fail
from einbatch.elaborate.attempts import Attempts
from einbatch.elaborate.expressions import Resolver, no_tensor, not_an_index
from einbatch.elaborate.scope import WORDS
from einbatch.ir import (
    REDUCTIONS,
    Expression,
    IndexValue,
    Read,
    Reduce,
    Scan,
    Statement,
    Step,
    free_indices,
    walk,
)
from einbatch.syntax import nodes as tree


@dataclass(frozen=True, slots=True)
class Typed:
    """An assignment as typed, with the loop lists around it (None: no `for`) and the scans."""

    assign: tree.Assign
    loops: tuple[tree.Identifier, ...] | None
    scans: tuple[tree.Identifier, ...] = ()


Around = tuple[tuple[tree.Identifier, ...] | None, tuple[tree.Identifier, ...]]
"""The loop list and the scans around a statement."""
Resolve = Callable[[Typed], Statement | None]


def resolve_steps(
    statement: tree.Statement, resolve: Resolve, around: Around = (None, ())
) -> Iterator[Step]:
    """The steps below a statement of the tree; `resolve` turns one assignment into its own."""
    loops, scans = around
    match statement:
        case tree.Assign():
            found = resolve(Typed(statement, loops, scans))
            if found is not None:
                yield found
        case tree.For(indices=indices, body=body):
            for inner in body:
                yield from resolve_steps(inner, resolve, ((*(loops or ()), *indices), scans))
        case tree.Scan(index=index, down=down, body=body):
            within = (loops, (*scans, index))
            steps = tuple(s for inner in body for s in resolve_steps(inner, resolve, within))
            if steps:
                yield Scan(index.key, down, steps, statement.span)
        case _:
            pass


def resolve_statement(
    resolver: Resolver, typed: Typed, attempts: Attempts, *, update: bool
) -> Statement | None:
    """One assignment in the core language, or None; what is wrong goes to `attempts`."""
    assign = typed.assign
    name = target_name(assign.target)
    attempts.attempt(lambda: _check_target(resolver, name, assign.span, update=update))
    attempts.attempt(lambda: _check_scanned(typed))
    subscripts = attempts.attempt(lambda: _subscripts(resolver, assign.target))
    value = attempts.attempt(lambda: resolver.number(assign.value))
    if subscripts is None or value is None:
        return None
    attempts.attempt(lambda: _check_kept(value, typed))
    scans = tuple(index.key for index in typed.scans)
    indices = tuple(i for i in free_indices(*subscripts, value) if i not in scans)
    statement = Statement(
        name.key, subscripts, assign.operator, value, indices, assign.span, assign.partial
    )
    if typed.loops is not None:
        if any(index.key in scans for index in typed.loops):
            return None
        wrong = list(_check_loops(resolver, typed.loops, statement))
        attempts.keep(wrong)
        if wrong:
            return statement
        statement = replace(statement, indices=tuple(index.key for index in typed.loops))
    if assign.operator == "=":
        attempts.attempt(lambda: _check_assignment(statement))
    return statement


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


def check_scans(
    resolver: Resolver, statement: tree.Statement, around: tuple[tree.Identifier, ...] = ()
) -> Iterator[Diagnostic]:
    """Errors for scans over what is no index, or over one that a scan around them has."""
    if not isinstance(statement, tree.Scan):
        return
    again = [index for index in around if index.key == statement.index.key]
    if again:
        yield from _scanned_already(statement.index, again[0]).diagnostics
    symbol = resolver.scope.find(statement.index.key)
    if symbol is not None and symbol.meaning != "index":
        yield from not_an_index(resolver.scope, statement.index).diagnostics
    for inner in statement.body:
        yield from check_scans(resolver, inner, (*around, statement.index))


def _check_scanned(typed: Typed) -> None:
    for index in typed.loops or ():
        for scanned in typed.scans:
            if index.key == scanned.key:
                raise _scanned_already(index, scanned)


def _check_kept(value: Expression, typed: Typed) -> None:
    """A softmax is over all values of its index, and a round has one of them."""
    for node in walk(value):
        if isinstance(node, Reduce) and REDUCTIONS[node.reduction].keeps:
            for scanned in typed.scans:
                if scanned.key in node.indices:
                    raise fail(
                        "E0403",
                        f"`{node.reduction}` is over every `{scanned.key}`, and a round has one",
                        (node.span, f"over `{scanned.key}`"),
                        (scanned.span, "scanned here"),
                        help="give it a statement of its own before the scan",
                    )


def _scanned_already(index: tree.Identifier, scanned: tree.Identifier) -> EinbatchError:
    return fail(
        "E0403",
        f"index `{index.key}` has one value in each round of the scan around",
        (index.span, "again here"),
        (scanned.span, "scanned here"),
        help=f"leave `{index.key}` out here, or use another index of the same extent",
    )


def target_name(target: tree.Access | tree.Name) -> tree.Identifier:
    """The name that an assignment writes."""
    return target.tensor if isinstance(target, tree.Access) else target.identifier


def _subscripts(resolver: Resolver, target: tree.Access | tree.Name) -> tuple[Expression, ...]:
    match target:
        case tree.Name(identifier=identifier):
            resolver.check_read(identifier, 0)
            return ()
        case tree.Access(tensor=tensor, subscripts=subscripts):
            return resolver.subscripts(tensor, subscripts)


def _check_target(resolver: Resolver, name: tree.Identifier, span: Span, *, update: bool) -> None:
    symbol = resolver.scope.find(name.key)
    base = resolver.scope.holder(name.key)
    if base != name.key and resolver.scope.find(base) is None:
        raise no_tensor(base, name.key, span, "written here")
    if symbol is None or symbol.meaning == "value":
        return
    if update and symbol.meaning in ("param", "state"):
        return
    if symbol.meaning in ("input", "param", "state"):
        raise fail(
            "E0406",
            f"`{name.key}` is {WORDS[symbol.meaning]} and cannot be written here",
            (name.span, "written here"),
            (symbol.identifier.span, f"{WORDS[symbol.meaning]} here"),
            help=_writing_hint(symbol.meaning),
        )
    raise fail(
        "E0406",
        f"`{name.key}` is {WORDS[symbol.meaning]} and cannot be written",
        (name.span, "written here"),
        (symbol.identifier.span, f"{WORDS[symbol.meaning]} here"),
        help="assign to a tensor of another name",
    )


def _writing_hint(meaning: str) -> str:
    if meaning == "input":
        return "write a tensor of another name, and read that one"
    return f"only update statements, after `minimize`, write a {meaning}"


def _check_loops(
    resolver: Resolver, loops: tuple[tree.Identifier, ...], statement: Statement
) -> Iterator[Diagnostic]:
    """The list as typed must be exactly the indices that occur."""
    occurring = statement.indices
    seen: dict[str, tree.Identifier] = {}
    for index in loops:
        yield from _check_loop_index(resolver, index, seen, statement)
        seen.setdefault(index.key, index)
    for name in occurring:
        if name not in seen:
            yield _missing(name, statement, loops)


def _check_loop_index(
    resolver: Resolver,
    index: tree.Identifier,
    seen: dict[str, tree.Identifier],
    statement: Statement,
) -> tuple[Diagnostic, ...]:
    symbol = resolver.scope.find(index.key)
    if symbol is not None and symbol.meaning != "index":
        return not_an_index(resolver.scope, index).diagnostics
    if index.key in seen:
        return fail(
            "E0403",
            f"index `{index.key}` stands twice in one list",
            (index.span, "again here"),
            (seen[index.key].span, "first here"),
            help="name each index once; a nested `for` adds its own to the outer ones",
        ).diagnostics
    if index.key not in statement.indices:
        return fail(
            "E0402",
            f"index `{index.key}` is in the loop list, but the statement does not use it",
            (index.span, "looped over here"),
            (statement.span, f"`{index.key}` does not occur free here"),
            help=f"remove `{index.key}` from it; what a reduction binds does not belong there",
        ).diagnostics
    return ()


def _missing(name: str, statement: Statement, loops: tuple[tree.Identifier, ...]) -> Diagnostic:
    add = f"add `{name}` to the list"
    if name not in free_indices(*statement.subscripts):
        sums = statement.operator == "="
        add = (
            f"sum over it: `sum[{name}](…)`, or `+=` with `{name}` in the list"
            if sums
            else f"{add}, or sum over it with `sum[{name}](…)`"
        )
    return diagnostic(
        "E0401",
        f"index `{name}` is not in the loop list",
        (span_of_index(name, (*statement.subscripts, statement.value)), "used here"),
        (loops[0].span.merge(loops[-1].span), "the loop list"),
        help=add,
    )


def span_of_index(name: str, expressions: tuple[Expression, ...]) -> Span:
    """The first place where an index occurs."""
    for expression in expressions:
        for node in walk(expression):
            match node:
                case IndexValue(index=index) if index == name:
                    return node.span
                case Reduce(indices=indices) if name in indices and name in free_indices(node):
                    return node.span
                case _:
                    pass
    return expressions[0].span


def _check_assignment(statement: Statement) -> None:
    """`=` may have no bound index, and must write each element once."""
    kept = free_indices(*statement.subscripts)
    for name in statement.indices:
        if name not in kept:
            raise fail(
                "E0404",
                f"index `{name}` is only on the right of `=`; "
                f"sum over it with `+=` or `sum[{name}](…)`",
                (span_of_index(name, (statement.value,)), "only here"),
                (statement.span, "this statement sets one element for each of its left indices"),
                help="the loop nest would keep the last value alone",
            )
    for position, subscript in enumerate(statement.subscripts):
        problem = _not_distinct(subscript, statement.subscripts[:position])
        if problem:
            raise may_meet(problem, subscript)


def may_meet(problem: str, subscript: Expression) -> EinbatchError:
    """The error for `=` through a subscript that may name one element twice."""
    return fail(
        "E0407",
        f"`=` through a {problem} index on the left may set one element twice",
        (subscript.span, f"{problem} here"),
        help="use `+=`, which adds up what meets in one element",
    )


def _not_distinct(subscript: Expression, earlier: tuple[Expression, ...]) -> str:
    """What is wrong with a subscript by its form; `distinct.py` looks at computed ones."""
    if isinstance(subscript, IndexValue):
        return "repeated" if subscript in earlier else ""
    reads_data = any(isinstance(node, (Read, Reduce)) for node in walk(subscript))
    return "gathered" if reads_data else ""
