"""The rules of scans: a round reads what earlier rounds wrote, never what later ones will.

A tensor that is written in a scan carries its index, and is written at the round
itself or ahead of it; one without the index is accumulated into, and read after
the scan. Reads and writes order per element.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from einbatch.diagnostics import Diagnostic, Span, diagnostic
from einbatch.elaborate.affine import affine_form, integer_of
from einbatch.ir import (
    Expression,
    Program,
    Read,
    Scan,
    Statement,
    Step,
    free_indices,
    reads,
    statements_of,
)


@dataclass(frozen=True, slots=True)
class Round:
    """A statement and the scans around it, the outermost first."""

    statement: Statement
    scans: tuple[Scan, ...]

    def is_of_another_round(self, read: Read) -> bool:
        """True where what is read was written by another round of a scan around."""
        return any(
            offset_of(subscript, scan) not in (0, None)
            for scan in self.scans
            if read.tensor in _written_in(scan)
            for subscript in read.subscripts
        )

    def writes_ahead(self) -> bool:
        """True where the statement writes an element of a round that is to come."""
        return any(
            (offset_of(subscript, scan) or 0) > 0
            for scan in self.scans
            for subscript in self.statement.subscripts
        )


def rounds_of(steps: tuple[Step, ...], scans: tuple[Scan, ...]) -> Iterator[Round]:
    """Every statement with the scans around it, in order."""
    for step in steps:
        if isinstance(step, Scan):
            yield from rounds_of(step.body, (*scans, step))
        else:
            yield Round(step, scans)


def reads_of(statement: Statement) -> Iterator[Read]:
    """Every read of a statement, those in its subscripts included."""
    for expression in (*statement.subscripts, statement.value):
        yield from reads(expression)


def offset_of(subscript: Expression, scan: Scan) -> int | None:
    """By how many rounds a subscript is ahead (> 0) or behind; None where it is no `t + number`."""
    form = affine_form(subscript, {})
    if form is None or form.coefficients != ((scan.index, 1),):
        return None
    number = integer_of(form.offset)
    if number is None:
        return None
    return -number if scan.down else number


def check_scan(program: Program) -> Iterator[Diagnostic]:
    """Errors for what a round may not read or write."""
    for step in rounds_of(program.statements, ()):
        for scan in step.scans:
            yield from _writes(step.statement, scan)
            for read in reads_of(step.statement):
                if read.tensor in _written_in(scan):
                    yield from _reads(read, scan)


def _writes(statement: Statement, scan: Scan) -> Iterator[Diagnostic]:
    carries = any(scan.index in free_indices(s) for s in statement.subscripts)
    offsets = [offset_of(subscript, scan) for subscript in statement.subscripts]
    if carries and not any(offset is not None and offset >= 0 for offset in offsets):
        yield diagnostic(
            "E0423",
            f"a round of `{scan.index}` writes `{statement.target}` behind itself",
            (statement.span, "written here"),
            (_head(scan), "scanned here"),
            help=f"write the element of the round, `{statement.target}[…,{scan.index},…]`",
        )
    if not carries and statement.operator == "=":
        yield diagnostic(
            "E0425",
            f"`{statement.target}` is set in a scan, and does not carry `{scan.index}`",
            (statement.span, "each round would set it again"),
            (_head(scan), "scanned here"),
            help=f"give it the index: `{statement.target}[…,{scan.index}]`, or accumulate: `+=`",
        )


def _reads(read: Read, scan: Scan) -> Iterator[Diagnostic]:
    target = next(s for s in statements_of(scan.body) if s.target == read.tensor)
    carries = any(scan.index in free_indices(s) for s in target.subscripts)
    offsets = [offset_of(subscript, scan) for subscript in read.subscripts]
    if not carries:
        yield diagnostic(
            "E0425",
            f"`{read.tensor}` is accumulated over the rounds of `{scan.index}`, and read in one",
            (read.span, "read here"),
            (target.span, "accumulated here"),
            help="read it after the scan, or give it the index",
        )
    elif not any(offset is not None and offset <= 0 for offset in offsets):
        earlier = f"{scan.index}{'+' if scan.down else '-'}1"
        yield diagnostic(
            "E0423",
            f"a round of `{scan.index}` may read only what an earlier round wrote",
            (read.span, f"not an earlier round of `{read.tensor}`"),
            (target.span, "written here"),
            help=f"read an earlier round: `({read.tensor}[…,{earlier},…] else 0)`",
        )


def _written_in(scan: Scan) -> set[str]:
    return {statement.target for statement in statements_of(scan.body)}


def _head(scan: Scan) -> Span:
    line = scan.span.text.partition("\n")[0]
    return Span(scan.span.source, scan.span.start, scan.span.start + len(line.rstrip()))
