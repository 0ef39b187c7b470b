"""Which statements have a part in what is wanted, in the order in which they run."""

from __future__ import annotations

from collections.abc import Iterable

from einbatch.ir.program import Program, Step, statements_of
from einbatch.ir.traverse import reads, written


def wanted_outputs(
    program: Program, outputs: Iterable[str] | None, updates: bool
) -> tuple[str, ...]:
    """The names to give: those asked for, else every tensor that is written, and reports."""
    if outputs is not None:
        return tuple(dict.fromkeys(outputs))
    names = [*written(program.statements), *(report.target for report in program.reports)]
    if updates:
        names += written(program.updates)
    return tuple(dict.fromkeys(names))


def needed_steps(program: Program, wanted: Iterable[str], updates: bool) -> tuple[Step, ...]:
    """The steps that have a part in what is wanted, in the order in which they run.

    Reports run last; those that read nothing that updates write run before these,
    so that less has to be kept.
    """
    rewritten = set(written(program.updates)) if updates else set[str]()
    late = [report for report in program.reports if names_read([report]) & rewritten]
    early = [report for report in program.reports if report not in late]
    steps = [*program.statements, *early, *(program.updates if updates else ()), *late]
    needed = {*wanted}
    needed.update(name for name in rewritten if program.tensor(name).kind != "value")
    kept: list[Step] = []
    for step in reversed(steps):
        if needed.intersection(written([step])):
            kept.append(step)
            needed |= names_read([step])
    return tuple(reversed(kept))


def names_read(steps: Iterable[Step]) -> set[str]:
    """The tensors that steps read, in subscripts too."""
    return {
        read.tensor
        for statement in statements_of(tuple(steps))
        for expression in (*statement.subscripts, statement.value)
        for read in reads(expression)
    }
