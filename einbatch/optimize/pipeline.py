"""The whole optimizer on one page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from einbatch.diagnostics import InternalError
from einbatch.ir import Program, verify
from einbatch.optimize.simplify import simplify
from einbatch.optimize.stabilize import stabilize


@dataclass(frozen=True, slots=True)
class Pass:
    """A name, what it does, and the function: deterministic and idempotent."""

    name: str
    description: str
    run: Callable[[Program], Program]


PIPELINE = (
    Pass("simplify", "cotangents without ones, zeros and double signs", simplify),
    Pass("stabilize", "logarithms of softmax, sigmoid and sums of exponentials", stabilize),
)


def optimize(
    program: Program, *, check: bool = False, without: frozenset[str] = frozenset()
) -> Program:
    """The program after every pass of the pipeline but those named in `without`.

    With `check`, the checker of the core language runs after each pass; what it
    finds is an InternalError that names the pass.
    """
    for step in PIPELINE:
        if step.name in without:
            continue
        program = step.run(program)
        problems = verify(program) if check else []
        if problems:
            raise InternalError(f"after {step.name}: " + "; ".join(problems))
    return program
