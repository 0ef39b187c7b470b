"""The plan of one step of a run: operations by statement, memory, buffers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from einbatch.diagnostics import Source
from einbatch.elaborate import bind_extents, constant_values, erase_statement
from einbatch.ir import Extent, Number, Program, Statement, evaluate_constant, walk
from einbatch.ir.program import Dtype
from einbatch.model.trainer import Updating
from einbatch.optimize.pipeline import optimize
from einbatch.plan import Plan, plan
from einbatch.plan.describe import (
    flops_of_statements,
    given_bytes,
    one_line,
    show_contraction,
)
from einbatch.report.listing import roles_of, shorten
from einbatch.syntax import unparse
from einbatch.syntax.colour import Piece, colour

PHASES = ("forward", "backward", "report", "update")


class Step(NamedTuple):
    """A statement of the plan. `share` is its part of the largest number of operations."""

    phase: str
    pieces: Sequence[Piece]
    contractions: Sequence[str]
    flops: int
    share: float


@dataclass(frozen=True, slots=True)
class Planned:
    """One step on a minibatch of `batch` examples, None where there is no batch index."""

    batch: int | None
    steps: Sequence[Step]
    totals: Mapping[str, int]
    flops: int
    given: int
    arena: int
    workspace: int
    peak: int
    buffers: Sequence[tuple[str, str, str]]


def planned_step(
    updating: Updating, dtype: Dtype, extents: Mapping[str, int], batch: int
) -> Planned:
    """The plan of an update, whatever backend ran it. EinbatchError where none can be made."""
    stable = optimize(updating.program)
    statements: list[Statement] = []

    def describe(statement: Statement) -> str:
        statements.append(statement)
        return unparse(erase_statement(stable, statement))

    bound = minibatch_extents(updating.program, extents, batch)
    made = plan(
        stable,
        bound,
        dtype=dtype,
        outputs=updating.outputs,
        updates=True,
        describe_statement=describe,
    )
    phases = _phases(updating, statements)
    steps = _steps(made, stable, phases)
    totals = {phase: sum(s.flops for s in steps if s.phase == phase) for phase in PHASES}
    return Planned(
        batch if stable.batch else None,
        steps,
        totals,
        sum(totals.values()),
        given_bytes(made),
        made.arena,
        made.workspace,
        made.peak,
        [
            (operand.name, " × ".join(map(str, operand.shape)) or "scalar", kind)
            for kind, operands in (("input", made.inputs), ("param or state", made.owned))
            for operand in operands
        ],
    )


def minibatch_extents(program: Program, extents: Mapping[str, int], batch: int) -> dict[str, int]:
    """The extents with a minibatch in place of all the data; KeyError where one is not given."""
    known = dict(extents)
    if program.batch is not None:
        symbol = program.index(program.batch).extent
        known |= {node.name: batch for node in walk(symbol) if isinstance(node, Extent)}
    constants = constant_values(program, known)
    shapes = {
        tensor.name: tuple(
            int(e.value) if isinstance(e, Number) else int(evaluate_constant(e, constants, known))
            for e in tensor.extents
        )
        for tensor in program.of_kind("input")
    }
    return bind_extents(program, shapes)


def _steps(made: Plan, program: Program, phases: Sequence[str]) -> list[Step]:
    roles = roles_of(program)
    flops = flops_of_statements(made)
    most = max([*flops, 1])
    return [
        Step(
            phase,
            shorten(colour(Source("<plan>", one_line(text)), roles)),
            [show_contraction(c) for c in made.contractions if c.statement == number],
            flops[number],
            flops[number] / most,
        )
        for number, (phase, text) in enumerate(zip(phases, made.statements, strict=True))
    ]


def _phases(updating: Updating, statements: Sequence[Statement]) -> list[str]:
    """What each statement is for; what follows the last cotangent and report is an update."""
    found: list[str] = []
    for statement in statements:
        is_report = statement.target in updating.reports
        backward = statement.target.endswith(updating.source.cotangent)
        found.append("report" if is_report else "backward" if backward else "forward")
    last = max((k for k, phase in enumerate(found) if phase != "forward"), default=-1)
    return [*found[: last + 1], *("update" for _ in found[last + 1 :])]
