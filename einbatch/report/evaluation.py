"""What a run's params predict on the examples that were held out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from einbatch.data import load_source, split_holdout
from einbatch.diagnostics import EinbatchError
from einbatch.ir import Tensor
from einbatch.model.arrays import Array
from einbatch.model.binding import bind
from einbatch.model.interpreter import Model
from einbatch.model.restrict import restrict
from einbatch.plan import allowance
from einbatch.report.classes import PREDICTED, TRUE, Confusion, Question, class_names, count
from einbatch.report.folder import Run
from einbatch.train.checkpoints import Checkpoint
from einbatch.train.loop import LARGEST_EVALUATION, Examples

MOST = 100_000
"""The most examples that are looked at, spread evenly over all."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """A confusion matrix, and of which examples it is."""

    confusion: Confusion
    examples: str


def evaluate_classes(
    model: Model, run: Run, question: Question, checkpoint: Checkpoint, holdout: float
) -> Evaluated:
    """The confusion matrix on what was held out, else on all the data.

    EinbatchError where the data cannot be read any more or do not fit, ValueError
    where the program predicts what is no class.
    """
    names = (PREDICTED, TRUE)
    part = restrict(question.program, names)
    inputs = [tensor for tensor in part.of_kind("input") if tensor.initial is None]
    given = {tensor.name: _load(model, run, tensor) for tensor in inputs}
    bound = bind(part, {**given, **checkpoint.kept, **checkpoint.params}, model.dtype)
    batch = None if part.batch is None else part.index(part.batch).extent
    arrays = {t.name: bound.arrays[t.name] for t in part.of_kind("input")}
    axes = {name: _axis(part.tensor(name), batch) for name in arrays}
    everyone = bound.extents[part.batch] if part.batch else 1
    which, described = _chosen(everyone, holdout, run.seed)
    examples = Examples(arrays, axes, everyone)
    rest = {name: array for name, array in bound.arrays.items() if name not in arrays}
    total: Confusion | None = None
    labels = class_names(bound.extents[question.classes])
    for start in range(0, len(which), LARGEST_EVALUATION):
        taken = examples.take(which[start : start + LARGEST_EVALUATION])
        piece = bind(part, {**rest, **taken}, model.dtype)
        values = model.execution.run(part, piece.arrays, piece.extents, names)
        predicted, true = (_classes(values[name], len(labels)) for name in names)
        found = count(predicted, true, labels)
        total = found if total is None else Confusion(total.counts + found.counts, labels)
    assert total is not None
    return Evaluated(total, described)


def why_not(error: EinbatchError) -> str:
    """The first finding of an error, as a sentence for the page."""
    message = error.diagnostics[0].message
    return f"{message[:1].upper()}{message[1:]}."


def _load(model: Model, run: Run, tensor: Tensor) -> Array:
    """An input as the run read it: from the program's own source, or from where `--data` said."""
    reference = run.data.get(tensor.name)
    if tensor.source is not None and reference in (None, tensor.source):
        return model.load_input(tensor)
    if reference is None:
        raise ValueError(f"the run does not say where `{tensor.name}` came from")
    if reference == "an array":
        raise ValueError(f"`{tensor.name}` was given as an array, which a run does not keep")
    return load_source(reference, None, tensor.name, limit_bytes=allowance())


def _axis(tensor: Tensor, batch: object) -> int | None:
    return next((k for k, extent in enumerate(tensor.extents) if extent == batch), None)


def _chosen(everyone: int, holdout: float, seed: int) -> tuple[NDArray[np.intp], str]:
    which, described = np.arange(everyone, dtype=np.intp), "all examples; none were held out"
    if holdout > 0 and everyone > 1:
        which, described = split_holdout(everyone, holdout, seed)[1], "the examples held out"
    if len(which) > MOST:
        described = f"{MOST:,} of {described}"
        which = which[np.linspace(0, len(which) - 1, MOST).astype(np.intp)]
    return which, described


def _classes(values: NDArray[Any], size: int) -> NDArray[np.int64]:
    with np.errstate(invalid="ignore"):  # of what is no number; the check below finds it
        whole = values.astype(np.int64)
    if not np.array_equal(whole, values) or np.any(whole < 0) or np.any(whole >= size):
        raise ValueError("what the program compares with the label is no class")
    return whole
