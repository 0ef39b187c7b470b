"""What stands where: a tensor is written, then read, and never the other way round."""

from __future__ import annotations

from collections.abc import Iterator

from einbatch.diagnostics import Diagnostic, Span, diagnostic
from einbatch.ir import Program, Statement, reads, statements_of


def check_order(program: Program) -> Iterator[Diagnostic]:
    """Reads before a value, writes after a read, and second values, in the forward statements."""
    given = {tensor.name for tensor in program.tensors if tensor.kind != "value"}
    first_write: dict[str, Span] = {}
    first_read: dict[str, Span] = {}
    for statement in statements_of(program.statements):
        yield from _read_before(statement, program, given | first_write.keys(), first_read)
        yield from _write(statement, first_write, first_read)
        first_write.setdefault(statement.target, statement.span)
    for report in program.reports:
        yield from _read_before(report, program, given | first_write.keys(), first_read)


def check_update_order(program: Program) -> Iterator[Diagnostic]:
    """In the update statements: temporaries have a value before they are read."""
    known = {tensor.name for tensor in program.tensors if tensor.kind != "value"}
    known |= {statement.target for statement in statements_of(program.statements)}
    suffix = program.cotangent
    known |= {tensor.name for tensor in program.tensors if tensor.name.endswith(suffix)}
    for statement in statements_of(program.updates):
        yield from _read_before(statement, program, known, {})
        known.add(statement.target)


def _read_before(
    statement: Statement, program: Program, known: set[str], first_read: dict[str, Span]
) -> Iterator[Diagnostic]:
    for expression in (*statement.subscripts, statement.value):
        for read in reads(expression):
            first_read.setdefault(read.tensor, read.span)
            if read.tensor not in known:
                yield diagnostic(
                    "E0410",
                    f"`{read.tensor}` is read before it has a value",
                    (read.span, "read here"),
                    *_later_write(program, read.tensor),
                    help="statements run from top to bottom; move the one that writes it up",
                )


def _later_write(program: Program, name: str) -> list[tuple[Span, str]]:
    steps = (*program.statements, *program.updates)
    spans = [s.span for s in statements_of(steps) if s.target == name]
    return [(spans[0], "written here")] if spans else []


def _write(
    statement: Statement, first_write: dict[str, Span], first_read: dict[str, Span]
) -> Iterator[Diagnostic]:
    name = statement.target
    if statement.operator == "=" and name in first_write:
        yield diagnostic(
            "E0409",
            f"`{name}` has a value already",
            (statement.span, "set again here"),
            (first_write[name], "it got its value here"),
            help="use another name, or accumulate with `+=`",
        )
    elif name in first_read and name in first_write:
        yield diagnostic(
            "E0408",
            f"`{name}` is accumulated into after something has read it",
            (statement.span, "written here"),
            (first_read[name], "read here"),
            help="move this statement before the read, or use another name",
        )
