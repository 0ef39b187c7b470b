"""Settings of an optimizer that are expressions of the step, as curves."""

from __future__ import annotations

from collections.abc import Mapping

from einbatch.diagnostics import EinbatchError
from einbatch.ir import (
    Expression,
    Number,
    Program,
    Read,
    Value,
    as_float,
    evaluate_constant,
    reads,
    transform,
)
from einbatch.report.charts import Chart, draw
from einbatch.report.curve import Curve
from einbatch.train.updates import STEP, STEPS

MOST = 300
"""The most steps that a setting is computed at."""
NAMES = {"lr": "learning rate"}


def schedules(
    program: Program,
    constants: Mapping[str, Value],
    extents: Mapping[str, int],
    last: int,
    total: int,
) -> list[Chart]:
    """A chart for each setting of the `train` line that changes, up to step `last` of `total`."""
    charts: list[Chart] = []
    for name, expression in program.train.settings if program.train else ():
        if not any(read.tensor in (STEP, STEPS) for read in reads(expression)):
            continue
        curve = Curve()
        for step in range(1, last + 1, max(1, last // MOST)):
            value = _at(expression, step, total)
            try:
                curve.add(step, as_float(evaluate_constant(value, constants, extents)))
            except (KeyError, EinbatchError):  # no number at this step: 1/(step - 1)
                continue
        chart = draw(NAMES.get(name, name), {name: ("train", curve)}, marked=False)
        if chart is not None:
            charts.append(chart)
    return charts


def _at(expression: Expression, step: int, total: int) -> Expression:
    numbers = {STEP: Number(step), STEPS: Number(total)}

    def rule(node: Expression) -> Expression:
        return numbers.get(node.tensor, node) if isinstance(node, Read) else node

    return transform(expression, rule)
