"""Statements of the tree, each checked by itself: loop lists, targets, operators."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from einbatch.diagnostics import Diagnostic, Span, diagnostic, fail
from einbatch.elaborate.attempts import Attempts
from einbatch.elaborate.expressions import Resolver, not_an_index
from einbatch.elaborate.scope import WORDS
from einbatch.ir import (
    Expression,
    IndexValue,
    Read,
    Reduce,
    Statement,
    free_indices,
    walk,
)
from einbatch.syntax import nodes as tree


@dataclass(frozen=True, slots=True)
class Typed:
    """An assignment as typed, with the loop lists around it (None: no `for`)."""

    assign: tree.Assign
    loops: tuple[tree.Identifier, ...] | None


def assignments(
    statement: tree.Statement, loops: tuple[tree.Identifier, ...] | None = None
) -> Iterator[Typed]:
    """The assignments below a statement, each with its whole loop list."""
    match statement:
        case tree.Assign():
            yield Typed(statement, loops)
        case tree.For(indices=indices, body=body):
            for inner in body:
                yield from assignments(inner, (*(loops or ()), *indices))
        case _:
            pass


def resolve_statement(
    resolver: Resolver, typed: Typed, attempts: Attempts, *, update: bool
) -> Statement | None:
    """One assignment in the core language, or None; what is wrong goes to `attempts`."""
    assign = typed.assign
    name = target_name(assign.target)
    attempts.attempt(lambda: _check_target(resolver, name, assign.span, update=update))
    subscripts = attempts.attempt(lambda: _subscripts(resolver, assign.target))
    value = attempts.attempt(lambda: resolver.number(assign.value))
    if subscripts is None or value is None:
        return None
    indices = free_indices(*subscripts, value)
    statement = Statement(name.key, subscripts, assign.operator, value, indices, assign.span)
    if typed.loops is not None:
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
    base, dot, _ = name.key.rpartition(".grad")
    if dot and resolver.scope.find(base) is None:
        raise fail(
            "E0808",
            f"there is no tensor `{base}` to have the cotangent `{name.key}`",
            (span, "written here"),
            help="a cotangent is named after its tensor: `T.grad`",
        )
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
        yield from _check_loop_index(resolver, index, seen, occurring)
        seen.setdefault(index.key, index)
    for name in occurring:
        if name not in seen:
            yield _missing(name, statement, loops)


def _check_loop_index(
    resolver: Resolver,
    index: tree.Identifier,
    seen: dict[str, tree.Identifier],
    occurring: tuple[str, ...],
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
    if index.key not in occurring:
        return fail(
            "E0402",
            f"index `{index.key}` is in the loop list, but the statement does not use it",
            (index.span, "looped over here"),
            help=f"remove `{index.key}` from it; what a reduction binds does not belong there",
        ).diagnostics
    return ()


def _missing(name: str, statement: Statement, loops: tuple[tree.Identifier, ...]) -> Diagnostic:
    sums = statement.operator == "=" and name not in free_indices(*statement.subscripts)
    return diagnostic(
        "E0401",
        f"index `{name}` is not in the loop list",
        (span_of_index(name, (*statement.subscripts, statement.value)), "used here"),
        (loops[0].span.merge(loops[-1].span), "the loop list"),
        help=f"sum over it: `sum[{name}](…)`, or `+=` with `{name}` in the list"
        if sums
        else f"add `{name}` to the list, or sum over it with `sum[{name}](…)`",
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
    bare = [s.index for s in statement.subscripts if isinstance(s, IndexValue)]
    for position, subscript in enumerate(statement.subscripts):
        problem = _not_distinct(subscript, bare, position, statement.subscripts)
        if problem:
            raise fail(
                "E0407",
                f"`=` through a {problem} index on the left may set one element twice",
                (subscript.span, f"{problem} here"),
                help="use `+=`, which adds up what meets in one element",
            )


def _not_distinct(
    subscript: Expression, bare: list[str], position: int, subscripts: tuple[Expression, ...]
) -> str:
    match subscript:
        case IndexValue(index=index):
            earlier = [s.index for s in subscripts[:position] if isinstance(s, IndexValue)]
            return "repeated" if index in earlier else ""
        case _ if any(isinstance(node, (Read, Reduce)) for node in walk(subscript)):
            return "gathered"
        case _:
            return "computed" if set(free_indices(subscript)) - set(bare) else ""
