"""What stands where: a tensor is written, then read, and never the other way round.

In a scan, "before" is by rounds: what an earlier round wrote may be read.
"""

from __future__ import annotations

from collections.abc import Iterator

from einbatch.diagnostics import Diagnostic, Span, diagnostic
from einbatch.elaborate.integers import integer_values
from einbatch.elaborate.scans import Round, check_scan, reads_of, rounds_of
from einbatch.ir import Program, statements_of, written


def check_order(program: Program) -> Iterator[Diagnostic]:
    """Reads before a value, writes after a read, and second values, in the forward statements."""
    given = {tensor.name for tensor in program.tensors if tensor.kind != "value"}
    first_write: dict[str, Span] = {}
    first_read: dict[str, Span] = {}
    constants = integer_values(program)
    for step in rounds_of(program.statements, constants):
        known = given | first_write.keys()
        yield from _read_before(step, program, known, first_read)
        yield from _write(step, first_write, first_read)
        first_write.setdefault(step.statement.target, step.statement.span)
    for report in program.reports:
        step = Round(report, (), constants)
        yield from _read_before(step, program, given | first_write.keys(), first_read)
    yield from check_scan(program)


def check_update_order(program: Program) -> Iterator[Diagnostic]:
    """In the update statements: temporaries have a value before they are read."""
    known = {tensor.name for tensor in program.tensors if tensor.kind != "value"}
    known |= set(written(program.statements))
    suffix = program.cotangent
    known |= {tensor.name for tensor in program.tensors if tensor.name.endswith(suffix)}
    for step in rounds_of(program.updates, integer_values(program)):
        yield from _read_before(step, program, known, {})
        known.add(step.statement.target)


def _read_before(
    step: Round, program: Program, known: set[str], first_read: dict[str, Span]
) -> Iterator[Diagnostic]:
    for read in reads_of(step.statement):
        if step.is_of_another_round(read):
            continue
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
    step: Round, first_write: dict[str, Span], first_read: dict[str, Span]
) -> Iterator[Diagnostic]:
    statement = step.statement
    name = statement.target
    if statement.operator == "=" and name in first_write:
        yield diagnostic(
            "E0409",
            f"`{name}` has a value already",
            (statement.span, "set again here"),
            (first_write[name], "it got its value here"),
            help="use another name, or accumulate with `+=`",
        )
    elif name in first_read and name in first_write and not step.writes_ahead():
        yield diagnostic(
            "E0408",
            f"`{name}` is accumulated into after something has read it",
            (statement.span, "written here"),
            (first_read[name], "read here"),
            help="move this statement before the read, or use another name",
        )
