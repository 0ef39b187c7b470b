"""The rules of scans: a round reads what earlier rounds wrote, never what later ones will.

A tensor that is written in a scan carries its index, and is written at the round
itself or ahead of it; one without the index is accumulated into, and read after
the scan. Reads and writes order per element.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from einbatch.diagnostics import Diagnostic, Span, diagnostic
from einbatch.elaborate.affine import Affine, affine_form, integer_of
from einbatch.elaborate.integers import integer_values
from einbatch.ir import (
    REDUCTIONS,
    Expression,
    IndexValue,
    Program,
    Read,
    Reduce,
    Scan,
    Statement,
    Step,
    children,
    free_indices,
    statements_of,
    substitute,
)


@dataclass(frozen=True, slots=True)
class Round:
    """A statement and the scans around it, the outermost first; the integer constants."""

    statement: Statement
    scans: tuple[Scan, ...]
    constants: Mapping[str, int]

    def offsets(self, subscripts: tuple[Expression, ...], scan: Scan) -> dict[int, int]:
        """By how many rounds of a scan an axis is ahead (> 0) or behind, for those that tell."""
        forms = (affine_form(subscript, self.constants) for subscript in subscripts)
        found = {k: _ahead(form, scan) for k, form in enumerate(forms) if form is not None}
        return {k: offset for k, offset in found.items() if offset is not None}

    def lags(self, read: Read, scan: Scan) -> list[int]:
        """The offsets of a read along the axes by which the scan's statements carry its index."""
        writes = [self.offsets(s.subscripts, scan) for s in _writes_to(read.tensor, scan)]
        offsets = self.offsets(read.subscripts, scan)
        return [o for k, o in offsets.items() if all(k in write for write in writes)]

    def is_of_another_round(self, read: Read) -> bool:
        """True where a scan around writes what is read, and this is not the round's own part."""
        around = [scan for scan in self.scans if _writes_to(read.tensor, scan)]
        return any(0 not in self.lags(read, scan) for scan in around)

    def writes_ahead(self) -> bool:
        """True where the statement writes an element of a round that is to come."""
        subscripts = self.statement.subscripts
        return any(o > 0 for scan in self.scans for o in self.offsets(subscripts, scan).values())


def rounds_of(
    steps: tuple[Step, ...], constants: Mapping[str, int], scans: tuple[Scan, ...] = ()
) -> Iterator[Round]:
    """Every statement with the scans around it, in order."""
    for step in steps:
        if isinstance(step, Scan):
            yield from rounds_of(step.body, constants, (*scans, step))
        else:
            yield Round(step, scans, constants)


def reads_of(statement: Statement) -> Iterator[Read]:
    """Every read of a statement, those in its subscripts included.

    An index that a reduction binds is no longer that of the statement or of a scan:
    the subscripts of the reads below name it `""`.
    """
    for expression in (*statement.subscripts, statement.value):
        yield from _reads_in(expression)


def _reads_in(expression: Expression) -> Iterator[Read]:
    match expression:
        case Reduce(reduction=reduction, indices=indices) if not REDUCTIONS[reduction].keeps:
            bound = {index: IndexValue("") for index in indices}
            for read in _reads_in(expression.body):
                yield replace(read, subscripts=tuple(substitute(s, bound) for s in read.subscripts))
        case _:
            if isinstance(expression, Read):
                yield expression
            for child in children(expression):
                yield from _reads_in(child)


def _ahead(form: Affine, scan: Scan) -> int | None:
    if form.coefficients != ((scan.index, 1),):
        return None
    number = integer_of(form.offset)
    return number if number is None or not scan.down else -number


def check_scan(program: Program) -> Iterator[Diagnostic]:
    """Errors for what a round may not read or write; an outer scan's order comes first."""
    steps = list(rounds_of(program.statements, integer_values(program)))
    for step in steps:
        ahead = False
        for scan in step.scans:
            offsets = list(step.offsets(step.statement.subscripts, scan).values())
            yield from _writes(step.statement, scan, offsets, ahead=ahead)
            ahead |= any(offset > 0 for offset in offsets)
        for read in reads_of(step.statement):
            yield from _reads(read, step)
    yield from _mixed(steps)


def _mixed(steps: list[Round]) -> Iterator[Diagnostic]:
    """What every round adds to, another statement of the scan may not multiply up or compare."""
    first: dict[tuple[str, Scan], Statement] = {}
    for step in steps:
        statement = step.statement
        for scan in step.scans:
            if step.offsets(statement.subscripts, scan):
                continue
            known = first.setdefault((statement.target, scan), statement)
            if _kind(known) != _kind(statement):
                yield diagnostic(
                    "E0425",
                    f"`{statement.target}` is accumulated in two ways in each round of "
                    f"`{scan.index}`",
                    (statement.span, f"by `{statement.operator}` here"),
                    (known.span, f"by `{known.operator}` here"),
                    help=f"give it the index: `{statement.target}[…,{scan.index}]`",
                )


def _kind(statement: Statement) -> str:
    return "+=" if statement.operator == "-=" else statement.operator


def _writes(
    statement: Statement, scan: Scan, offsets: list[int], *, ahead: bool
) -> Iterator[Diagnostic]:
    if offsets and not ahead and not any(offset >= 0 for offset in offsets):
        yield diagnostic(
            "E0423",
            f"a round of `{scan.index}` writes `{statement.target}` behind itself",
            (statement.span, "written here"),
            (_head(scan), "scanned here"),
            help=f"write the element of the round, `{statement.target}[…,{scan.index},…]`",
        )
    if scan.index not in free_indices(*statement.subscripts) and statement.operator == "=":
        yield diagnostic(
            "E0425",
            f"`{statement.target}` is set in a scan, and does not carry `{scan.index}`",
            (statement.span, "each round would set it again"),
            (_head(scan), "scanned here"),
            help=f"give it the index: `{statement.target}[…,{scan.index}]`, or accumulate: `+=`",
        )


def _reads(read: Read, step: Round) -> Iterator[Diagnostic]:
    """The error for a read, if there is one: of the outermost scan that forbids it."""
    for scan in step.scans:
        writes = _writes_to(read.tensor, scan)
        if writes:
            lags = step.lags(read, scan)
            found = list(_read(read, scan, lags, writes, step))
            yield from found
            if found or any(lag < 0 for lag in lags):
                return


def _read(
    read: Read, scan: Scan, lags: list[int], writes: list[Statement], step: Round
) -> Iterator[Diagnostic]:
    target = writes[0]
    if any(not step.offsets(write.subscripts, scan) for write in writes):
        yield diagnostic(
            "E0425",
            f"`{read.tensor}` is accumulated over the rounds of `{scan.index}`, and read in one",
            (read.span, "read here"),
            (target.span, "accumulated here"),
            help="read it after the scan, or give it the index",
        )
    elif not any(lag <= 0 for lag in lags):
        earlier = f"{scan.index}{'+' if scan.down else '-'}1"
        yield diagnostic(
            "E0423",
            f"a round of `{scan.index}` may read only what an earlier round wrote",
            (read.span, f"not an earlier round of `{read.tensor}`"),
            (target.span, "written here"),
            help=f"read an earlier round: `({read.tensor}[…,{earlier},…] else 0)`",
        )


def _writes_to(tensor: str, scan: Scan) -> list[Statement]:
    return [statement for statement in statements_of(scan.body) if statement.target == tensor]


def _head(scan: Scan) -> Span:
    line = scan.span.text.partition("\n")[0]
    return Span(scan.span.source, scan.span.start, scan.span.start + len(line.rstrip()))
