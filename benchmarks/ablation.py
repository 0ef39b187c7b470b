"""Each of einbatch's passes left out: how much slower, on what.

The contenders are einbatch with all passes and einbatch without one of them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from rich.table import Table

from benchmarks import models, perceptron
from benchmarks.harness import OWN, Contender, Outcome, Running, Suite, main, show_ratio
from einbatch.model.passes import PASSES

Case = perceptron.Size | models.Case
STEPS = 3


def without(*names: str) -> Callable[[Case], Running]:
    """What makes einbatch ready without some passes."""

    def make(case: Case) -> Running:
        if isinstance(case, perceptron.Size):
            return perceptron.by_einbatch(case, names)
        return models.by_einbatch(case, names)

    return make


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
        Contender(OWN, without()),
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
