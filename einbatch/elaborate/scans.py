"""The rules of scans: a round reads what earlier rounds wrote, never what later ones will.

A tensor that is written in a scan carries its index, and is written at the round
itself or ahead of it; one without the index is accumulated into, and read after
the scan. Reads and writes order per element.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

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
    substitute,
)

Offsets = tuple[int | None, int | None]
"""The least and the greatest; None where that depends on extents."""


@dataclass(frozen=True, slots=True)
class Round:
    """A statement and the scans around it, the outermost first; the integer constants.

    `writers` are the statements of the outermost scan, by what they write.
    """

    statement: Statement
    scans: tuple[Scan, ...]
    constants: Mapping[str, int]
    writers: Mapping[str, list[Round]] = field(default_factory=dict[str, "list[Round]"], repr=False)

    def offsets(self, subscripts: tuple[Expression, ...], scan: Scan) -> dict[int, Offsets]:
        """By how many rounds of a scan an axis is ahead (> 0) or behind, for those that tell."""
        forms = (affine_form(subscript, self.constants) for subscript in subscripts)
        return {
            k: _ahead(form, scan)
            for k, form in enumerate(forms)
            if form is not None and form.coefficient(scan.index) == 1
        }

    def lag(self, read: Read, write: Statement, scan: Scan) -> int | None:
        """How many rounds after the read its element is written (< 0: before); None: who knows."""
        writes = self.offsets(write.subscripts, scan)
        reads = self.offsets(read.subscripts, scan)
        pairs = [(reads[k][1], writes[k][0]) for k in reads if k in writes]
        lags = [last - first for last, first in pairs if last is not None and first is not None]
        return min(lags, default=None)

    def meets(self, read: Read, write: Round) -> bool:
        """True where the write is of the same round as the read, or in no scan with it."""
        shared = [scan for scan in self.scans if scan in write.scans]
        return all(self.lag(read, write.statement, scan) == 0 for scan in shared)

    def is_of_another_round(self, read: Read) -> bool:
        """True where scans around write what is read, and none of it in the round itself."""
        around = self.writers.get(read.tensor, [])
        return bool(around) and not any(self.meets(read, write) for write in around)


def rounds_of(steps: tuple[Step, ...], constants: Mapping[str, int]) -> Iterator[Round]:
    """Every statement with the scans around it, in order."""
    for step in steps:
        writers: dict[str, list[Round]] = {}
        found = [
            Round(statement, scans, constants, writers) for statement, scans in _within(step, ())
        ]
        for item in found if isinstance(step, Scan) else ():
            writers.setdefault(item.statement.target, []).append(item)
        yield from found


def _within(step: Step, scans: tuple[Scan, ...]) -> Iterator[tuple[Statement, tuple[Scan, ...]]]:
    if isinstance(step, Statement):
        yield step, scans
    else:
        for inner in step.body:
            yield from _within(inner, (*scans, step))


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


def _ahead(form: Affine, scan: Scan) -> Offsets:
    """The least and the greatest number of rounds, over what the other indices are."""
    rest = form.without(scan.index)
    least, greatest = integer_of(rest.least()), integer_of(rest.greatest())
    if not scan.down:
        return least, greatest
    return _opposite(greatest), _opposite(least)


def _opposite(number: int | None) -> int | None:
    return None if number is None else -number


def check_scan(program: Program) -> Iterator[Diagnostic]:
    """Errors for what a round may not read or write; an outer scan's order comes first.

    Params and states have a value in every round: updates may rewrite them in any.
    """
    constants, suffix = integer_values(program), program.cotangent
    steps = [
        s for part in (program.statements, program.updates) for s in rounds_of(part, constants)
    ]
    made = {t.name for t in program.of_kind("value") if not t.name.endswith(suffix)}
    for step in steps:
        if step.statement.target in made:
            for scan in step.scans:
                yield from _writes(step.statement, scan)
        for read in reads_of(step.statement):
            if read.tensor in made:
                yield from _reads(read, step)
    yield from _mixed([step for step in steps if step.statement.target in made])


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


def _writes(statement: Statement, scan: Scan) -> Iterator[Diagnostic]:
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
    writes = step.writers.get(read.tensor, [])
    for scan in step.scans:
        found = list(_read(read, scan, [w.statement for w in writes if scan in w.scans], step))
        yield from found
        if found:
            return
        writes = [w for w in writes if scan in w.scans and step.lag(read, w.statement, scan) == 0]


def _read(read: Read, scan: Scan, writes: list[Statement], step: Round) -> Iterator[Diagnostic]:
    loose = [write for write in writes if not step.offsets(write.subscripts, scan)]
    lags = [step.lag(read, write, scan) for write in writes]
    if loose:
        yield diagnostic(
            "E0425",
            f"`{read.tensor}` is accumulated over the rounds of `{scan.index}`, and read in one",
            (read.span, "read here"),
            (loose[0].span, "accumulated here"),
            help="read it after the scan, or give it the index",
        )
    elif any(lag is None or lag > 0 for lag in lags):
        late = next(w for w, lag in zip(writes, lags, strict=True) if lag is None or lag > 0)
        earlier = f"{scan.index}{'+' if scan.down else '-'}1"
        yield diagnostic(
            "E0423",
            f"a round of `{scan.index}` may read only what an earlier round wrote",
            (read.span, f"not an earlier round of `{read.tensor}`"),
            (late.span, "written here"),
            help=f"read an earlier round: `({read.tensor}[…,{earlier},…] else 0)`",
        )


def _head(scan: Scan) -> Span:
    line = scan.span.text.partition("\n")[0]
    return Span(scan.span.source, scan.span.start, scan.span.start + len(line.rstrip()))
