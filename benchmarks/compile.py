"""What it costs to make a program callable: from its text to the end of its first step.

`first` is in a fresh process that has imported einbatch and NumPy and nothing more;
`again` is the same once more. The perceptrons have 1 to 1,000 layers of 4 units, so their
steps take next to nothing. Printed too: how much longer 1,000 layers take than 10.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table

import einbatch as eb
from benchmarks.harness import (
    Contender,
    Running,
    Suite,
    Worker,
    chosen_cases,
    describe_machine,
    parser_of,
    report,
    show_ratio,
)
from benchmarks.texts import perceptron_text

DIGITS = Path(__file__).parent.parent / "programs" / "digits.ein"
AGAIN = 3
WIDTH, BATCH = 4, 2
FEW, MANY = "10 layers", "1000 layers"


@dataclass(frozen=True, slots=True)
class Case:
    """The digits model, or so many layers."""

    name: str
    layers: int | None


def by_einbatch(case: Case) -> Running:
    """Parses, checks, differentiates, plans, writes, loads, and takes one step."""
    draws = np.random.default_rng(0)
    if case.layers is None:
        text = DIGITS.read_text(encoding="utf-8")
        image = draws.standard_normal((32, 8, 8), np.float32)
        data = {"image": image, "label": draws.integers(0, 10, 32)}
    else:
        text = perceptron_text([WIDTH] * (case.layers + 1), 0.1)
        x = draws.standard_normal((BATCH, WIDTH), np.float32)
        data = {"x": x, "t": draws.integers(0, WIDTH, BATCH)}

    def step() -> None:
        eb.parse(text).trainer().step(data)

    return Running(step, dict)


SUITE = Suite(
    module="benchmarks.compile",
    title="from text to callable",
    cases=(
        Case("digits", None),
        *(Case(f"{n} layer{'s' * (n > 1)}", n) for n in (1, 10, 100, 1000)),
    ),
    contenders=(Contender("einbatch", by_einbatch),),
    reference=None,
    quick=("digits", "1 layer", FEW, "100 layers"),
)


def milliseconds(case: Case) -> tuple[float, float]:
    """The first time in a process, and the best of a few more."""
    worker = Worker(SUITE.module, case.name, "einbatch")
    try:
        first = worker.time(1, 1)[0]
        again = worker.time(1, AGAIN if case.layers != 1000 else 1)
    finally:
        worker.close()
    return first / 1e3, min(again) / 1e3


def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints; the exit code."""
    options = parser_of(SUITE).parse_args(arguments)
    rounds = options.rounds or (1 if options.quick else 3)
    times: dict[str, tuple[float, float]] = {}
    for name in chosen_cases(SUITE, options):
        found = [milliseconds(SUITE.case(name)) for _ in range(rounds)]
        times[name] = (min(first for first, _ in found), min(again for _, again in found))
    table = Table(title=f"{SUITE.title}: ms (best of {rounds})", title_justify="left")
    for column in ("program", "first", "again"):
        table.add_column(column, justify="left" if column == "program" else "right")
    for name, (first, again) in times.items():
        table.add_row(name, f"{first:,.1f}", f"{again:,.1f}")
    parts: list[Any] = [table]
    growth = {}
    if {FEW, MANY} <= times.keys():
        growth = {"first": times[MANY][0] / times[FEW][0], "again": times[MANY][1] / times[FEW][1]}
        shown = ", ".join(f"{show_ratio(value)} {name}" for name, value in growth.items())
        parts.append(f"{MANY} over {FEW}: {shown}")
    record = {"benchmark": "compile", "milliseconds": times, "growth": growth}
    report(describe_machine(), parts, record, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
