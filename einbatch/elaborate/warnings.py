"""What is right, and probably not meant."""

from __future__ import annotations

from collections.abc import Iterator

from einbatch.diagnostics import Diagnostic, deep_stack, diagnostic
from einbatch.ir import (
    Apply,
    Expression,
    Extent,
    Program,
    Reduce,
    Statement,
    free_indices,
    statements_of,
    walk,
)


@deep_stack()
def find_warnings(program: Program) -> list[Diagnostic]:
    """Every warning of a checked program, in the order of its statements."""
    found = [
        warning
        for statement in statements_of((*program.statements, *program.updates))
        for warning in _repeated_terms(statement)
    ]
    return [*found, *_averaged_twice(program)]


def _repeated_terms(statement: Statement) -> Iterator[Diagnostic]:
    """A term that a bound index does not touch is added once for each of its values."""
    if statement.operator not in ("+=", "-="):
        return
    kept = free_indices(*statement.subscripts)
    bound = [name for name in statement.indices if name not in kept]
    for term in _terms(statement.value):
        missing = [name for name in bound if name not in free_indices(term)]
        for name in missing:
            yield diagnostic(
                "W0401",
                f"this term does not depend on `{name}`, and is added |{name}| times",
                (term.span, f"the same for every `{name}`"),
                (statement.span, f"`{name}` is summed over here"),
                help=f"give it a statement of its own, or sum inside: `sum[{name}](…)`",
            )


def _terms(value: Expression) -> tuple[Expression, ...]:
    match value:
        case Apply(primitive="add", arguments=arguments):
            return arguments
        case _:
            return (value,)


def _averaged_twice(program: Program) -> Iterator[Diagnostic]:
    """A loss over b that has the mean over b in it is averaged twice."""
    objective, batch = program.objective, program.batch
    if objective is None or batch is None:
        return
    if not program.tensor(objective.tensor).extents:
        return
    symbol = Extent(batch), *(Extent(n) for n, e in program.extents if e == _batch_extent(program))
    for statement in statements_of(program.statements):
        if statement.target == objective.tensor and _averages(statement.value, batch, symbol):
            yield diagnostic(
                "W0402",
                f"`{objective.tensor}` has a mean over `{batch}` in it, and carries `{batch}`",
                (statement.span, "averaged here"),
                (objective.span, f"and here: the mean over `{batch}` is meant"),
                help=f"leave the mean out, or make `{objective.tensor}` a scalar",
            )


def _batch_extent(program: Program) -> Expression:
    assert program.batch is not None
    return program.index(program.batch).extent


def _averages(value: Expression, batch: str, extents: tuple[Extent, ...]) -> bool:
    for node in walk(value):
        match node:
            case Reduce(reduction="mean", indices=indices) if batch in indices:
                return True
            case Apply(primitive="div", arguments=(_, divisor)) if divisor in extents:
                return True
            case _:
                pass
    return False
