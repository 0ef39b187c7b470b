"""The tables of a report: final numbers, epochs, weights, settings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from einbatch.diagnostics import EinbatchError
from einbatch.elaborate import constant_values
from einbatch.ir import Program, as_float, evaluate_constant
from einbatch.report.charts import show
from einbatch.report.folder import Run
from einbatch.report.log import Log
from einbatch.train.checkpoints import Checkpoint
from einbatch.train.options import Options

MOST_EPOCHS = 60
"""The most epochs that are listed, spread evenly over all."""
Settings = list[tuple[str, list[tuple[str, str]]]]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns, the first of which names its row."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def figures(
    program: Program, log: Log | None, checkpoint: Checkpoint | None
) -> list[tuple[str, str, str]]:
    """The few numbers at the top: what, how much, and a word on it."""
    found: list[tuple[str, str, str]] = []
    if log is not None and log.last is not None:
        end = log.best or log.last
        held = any(value is not None for value in end.holdout.values())
        word = f"{'held out' if held else 'training'}, epoch {show(end.epoch)}"
        values = end.holdout if held else end.train
        found += [(name, _shown(value), word) for name, value in values.items()]
        found.append(("epochs", show(log.last.epoch), f"{show(log.step)} steps"))
    elif log is not None:
        found.append(("steps", show(log.step), ""))
    if log is not None and log.seconds:
        found.append(("time", *_duration(log.seconds)))
    if checkpoint is not None:
        count = sum(array.size for array in checkpoint.params.values())
        tensors = f"in {len(checkpoint.params)} tensors"
        found.append(("parameters", show(count), tensors))
    return found


def final_table(log: Log) -> Table | None:
    """Loss and reports at the end, and at the epoch of the best loss."""
    if log.last is None or log.best is None:
        return None
    ends = [("at the end", log.last), ("at the best epoch", log.best)]
    columns = [""]
    parts: list[Mapping[str, float | None]] = []
    for word, end in ends:
        for kind, values in (("training", end.train), ("held out", end.holdout)):
            if any(value is not None for value in values.values()):
                columns.append(f"{kind}, {word} ({show(end.epoch)})")
                parts.append(values)
    rows = [[name, *(_shown(part.get(name)) for part in parts)] for name in log.quantities]
    return Table(columns, rows)


def epochs_table(log: Log) -> Table | None:
    """The curves' means of epochs, as numbers."""
    named = {
        f"{name}, {word}": {point.x: point.y for point in curve.points}
        for name, quantity in log.quantities.items()
        for word, curve in (("training", quantity.train), ("held out", quantity.holdout))
        if curve.points
    }
    known = {step for values in named.values() for step in values}
    ends = [(epoch, step) for epoch, step in log.epochs.items() if step in known]
    if not ends:
        return None
    stride = -(-len(ends) // MOST_EPOCHS)
    rows = [
        [show(epoch), show(step), *(_shown(values.get(step)) for values in named.values())]
        for epoch, step in ends[(len(ends) - 1) % stride :: stride]
    ]
    return Table(["epoch", "step", *named], rows)


def weights(program: Program, params: Mapping[str, NDArray[Any]]) -> Table:
    """The shape of each parameter, and the least, the mean and the most of its elements."""
    spellings = dict(program.spellings)
    rows: list[list[str]] = []
    for tensor in program.of_kind("param"):
        array = params.get(tensor.name)
        if array is None or not array.size:
            continue
        axes = ",".join(spellings.get(axis, axis) for axis in tensor.axes)
        name = spellings.get(tensor.name, tensor.name) + (f"[{axes}]" if axes else "")
        values = array.astype(np.float64)
        with np.errstate(all="ignore"):  # of NaN and infinite weights too
            parts = (values.min(), values.mean(), values.max(), values.std())
        shape = " × ".join(map(str, array.shape)) or "scalar"
        rows.append([name, shape, *(show(float(part)) for part in parts)])
    return Table(["parameter", "shape", "least", "mean", "most", "standard deviation"], rows)


def settings(run: Run, program: Program, options: Options) -> Settings:
    """What the run was started with, group by group."""
    return [(title, pairs) for title, pairs in _groups(run, program, options) if pairs]


def _groups(
    run: Run, program: Program, options: Options
) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    yield "Training", list((_line(run, program) | _asked(run, options)).items())
    precision = [("dtype", run.dtype or program.dtype or "float32"), ("backend", run.backend)]
    yield "Computation", precision
    yield "Constants set", [(name, _plain(value)) for name, value in run.constants.items()]
    yield "Extents", [(name, show(size)) for name, size in run.extents.items()]
    yield "Data", list(run.data.items())
    yield "Data held out", list(run.holdout.items())
    yield "Versions", list(run.versions.items())


def _line(run: Run, program: Program) -> dict[str, str]:
    """The optimizer of the `train` line and its settings, the learning rate among them."""
    train = program.train
    if train is None or not train.optimizer:
        return {}
    constants = constant_values(program, run.extents)
    found = {"optimizer": train.optimizer}
    for name, value in train.settings:
        try:
            found[name] = show(as_float(evaluate_constant(value, constants, run.extents)))
        except (KeyError, EinbatchError):  # it depends on the step
            found[name] = value.span.text
    return found


def _asked(run: Run, options: Options) -> dict[str, str]:
    whole = {**asdict(options), **run.options}
    return {name: _plain(value) for name, value in whole.items() if value is not None}


def _plain(value: object) -> str:
    """A setting as text: numbers as everywhere on the page, all else as JSON has it."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63:
        return show(value)
    return json.dumps(value, ensure_ascii=False)


def _shown(value: float | None) -> str:
    return "–" if value is None else show(value)


def _duration(seconds: float) -> tuple[str, str]:
    """A length of time in two units at the most, as a number and what follows it."""
    if seconds < 100:
        return f"{seconds:.3g}", "seconds"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 100:
        return f"{minutes}:{rest:02}", "minutes"
    hours, minutes = divmod(minutes, 60)
    return (f"{hours}:{minutes:02}", "hours") if hours < 72 else (f"{hours / 24:.3g}", "days")
