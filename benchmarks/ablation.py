"""Each of einbatch's passes left out: how much slower, on what.

The contenders are einbatch with all passes and einbatch without one of them. Where a pass
has nothing to do, the module is the same without it, and there is nothing to time.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table

from benchmarks import models, perceptron
from benchmarks.harness import OWN, Contender, Outcome, Running, Skipped, Suite, main, show_ratio
from einbatch.backends import PASSES as OF_BACKENDS
from einbatch.model.passes import PASSES

Case = perceptron.Size | models.Case
STEPS = 3
PASSES_OF_STEPS = OF_BACKENDS["numpy"]
"""What these do does not all show in a module."""


def by_einbatch(case: Case, names: tuple[str, ...] = ()) -> Running:
    """Without some passes."""
    if isinstance(case, perceptron.Size):
        return perceptron.by_einbatch(case, names)
    return models.by_einbatch(case, names)


def without(name: str) -> Callable[[Case], Running]:
    """What makes einbatch ready without a pass; Skipped where that one has nothing to do."""

    def make(case: Case) -> Running:
        if name not in PASSES_OF_STEPS:
            for names in ((), (name,)):
                by_einbatch(case, names).step()
            if plans_of(case, ()) == plans_of(case, (name,)):
                raise Skipped(f"{name} has nothing to do in {case.name}")
        return by_einbatch(case, (name,))

    return make


def plans_of(case: Case, names: tuple[str, ...]) -> list[tuple[str, int]]:
    """The modules that were made for a case, and how much memory they take."""
    family = perceptron if isinstance(case, perceptron.Size) else models
    model = family.model_of(case, names)
    return [(made.source, made.plan.peak) for made in model.execution.made]


def in_double(case: Case) -> Running:
    """The reference of the benchmark that the case is from."""
    if isinstance(case, perceptron.Size):
        return perceptron.peers.by_definition(case)
    return models.by_torch_in_double(case)


def start(case: Case) -> dict[str, Any]:
    """Where the parameters that are compared come from; gradients come from zero."""
    return perceptron.peers.start(case) if isinstance(case, perceptron.Size) else {}


SUITE = Suite(
    module="benchmarks.ablation",
    title="passes left out",
    cases=(*perceptron.SIZES, *models.CASES),
    contenders=(
        Contender(OWN, by_einbatch),
        *(Contender(f"without {name}", without(name)) for name in PASSES),
    ),
    reference=in_double,
    start=start,
    steps=lambda case: STEPS if isinstance(case, perceptron.Size) else 1,
    tolerance=5e-3,
    quick=("XS", "S"),
)


def show(suite: Suite, outcomes: Sequence[Outcome]) -> list[Table]:
    """A row for each pass: the time without it over the time with all."""
    table = Table(title="time without the pass / with all passes", title_justify="left")
    table.add_column("pass")
    table.add_column("what it does")
    for outcome in outcomes:
        table.add_column(outcome.case, justify="right")
    for name, description in PASSES.items():
        cells: list[str] = []
        for outcome in outcomes:
            times = outcome.microseconds
            off = times.get(f"without {name}")
            cells.append("–" if off is None else show_ratio(off / times[OWN]))
        table.add_row(name, description, *cells)
    return [table]


if __name__ == "__main__":
    sys.exit(main(SUITE, show=show))
