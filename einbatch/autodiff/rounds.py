"""What a scan multiplies up or compares: kept for each round, combined after the scan.

Before:

    scan t:
        for b: best[b] max= s[b,t]

After:

    scan t:
        for b: best_1[b,t] = s[b,t]
    for t,b: best[b] max= best_1[b,t]

Only tensors that do not carry the scan's index: nothing reads them before the scan
is over. Sums stay where they are, for they are differentiated where they stand.
"""

from __future__ import annotations

from dataclasses import replace

from einbatch.ir.build import ONE, fresh_tensor, names_of, subtract
from einbatch.ir.program import (
    Expression,
    Extent,
    IndexValue,
    Program,
    Read,
    Scan,
    Statement,
    Step,
    Tensor,
)
from einbatch.ir.traverse import free_indices

COMBINED = ("*=", "max=", "min=")


def combine_rounds(program: Program) -> Program:
    """Takes `*=`, `max=` and `min=` into what does not carry the scan's index out of scans."""
    work = _Rounds(program)
    steps = tuple(new for step in program.statements for new in work.step(step))
    return replace(program, statements=steps, tensors=(*program.tensors, *work.tensors))


class _Rounds:
    def __init__(self, program: Program) -> None:
        self.program = program
        self.taken = names_of(program)
        self.tensors: list[Tensor] = []
        self.after: list[tuple[int, Statement]] = []

    def step(self, step: Step, scans: tuple[Scan, ...] = ()) -> list[Step]:
        if isinstance(step, Statement):
            depth = _depth(step, scans)
            return [step if depth is None else self.kept(step, scans, depth)]
        within = (*scans, step)
        body = tuple(new for inner in step.body for new in self.step(inner, within))
        ready = [statement for depth, statement in self.after if depth == len(scans)]
        self.after = [pair for pair in self.after if pair[0] != len(scans)]
        return [replace(step, body=body), *ready]

    def kept(self, statement: Statement, scans: tuple[Scan, ...], depth: int) -> Statement:
        """The value of each round, kept at its index; all of them are combined after the scan."""
        rounds = tuple(scan.index for scan in scans)
        axes = (*statement.indices, *rounds)
        name = fresh_tensor(statement.target, self.taken)
        extents = tuple(self.program.index(axis).extent for axis in axes)
        self.tensors.append(Tensor(name, "value", extents, span=statement.span))
        outside = (*statement.indices, *rounds[:depth])
        places = (*map(IndexValue, outside), *map(_order, scans[depth:]))
        read = Read(name, places, None, statement.span)
        indices = (*rounds[depth:], *statement.indices)
        self.after.append((depth, replace(statement, value=read, indices=indices)))
        subscripts = tuple(map(IndexValue, axes))
        return replace(statement, target=name, subscripts=subscripts, operator="=", partial=False)


def _depth(statement: Statement, scans: tuple[Scan, ...]) -> int | None:
    """How many scans stay around the combination: those outside the first not carried."""
    if statement.operator not in COMBINED:
        return None
    carried = free_indices(*statement.subscripts)
    return next((k for k, scan in enumerate(scans) if scan.index not in carried), None)


def _order(scan: Scan) -> Expression:
    """The rounds as they come: of two that are equal, the first counts."""
    own = IndexValue(scan.index)
    return subtract(subtract(Extent(scan.index), ONE), own) if scan.down else own
