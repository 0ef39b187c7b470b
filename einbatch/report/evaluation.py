"""What a run's params predict on the examples that were held out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from einbatch.data import Stored, split_holdout
from einbatch.diagnostics import EinbatchError
from einbatch.model.arrays import Array
from einbatch.model.binding import bind
from einbatch.model.examples import gather_examples
from einbatch.model.interpreter import Model
from einbatch.model.restrict import restrict
from einbatch.model.sources import IN_MEMORY
from einbatch.model.trainer import Updating
from einbatch.report.classes import PREDICTED, TRUE, Confusion, Question, count
from einbatch.report.folder import Run
from einbatch.train.checkpoints import Checkpoint
from einbatch.train.loop import LARGEST_EVALUATION

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
    asking = restrict(question.program, names)
    kept = {**checkpoint.kept, **checkpoint.params}
    updating = Updating(model.front.training, model.execution)
    examples = gather_examples(
        updating, _given(model, run), kept, model.load_input, LARGEST_EVALUATION
    )
    labels = _labels(model, question.classes, examples.extents)
    part = 0.0 if run.holdout else holdout
    which, described = _chosen(examples.count, part, run.seed)
    if run.holdout:
        described = f"{described} held out, {', '.join(dict.fromkeys(run.holdout.values()))}"
    total = Confusion(np.zeros((len(labels), len(labels)), np.int64), labels)
    for start in range(0, len(which), LARGEST_EVALUATION):
        taken = examples.take(which[start : start + LARGEST_EVALUATION])
        bound = bind(asking, {**taken, **kept}, model.dtype)
        values = model.execution.run(asking, bound.arrays, bound.extents, names)
        predicted, true = (_classes(values[name], len(labels)) for name in names)
        total = Confusion(total.counts + count(predicted, true, labels).counts, labels)
    return Evaluated(total, described)


def why_not(error: EinbatchError) -> str:
    """The first finding of an error, as a sentence for the page."""
    message = error.diagnostics[0].message
    return f"{message[:1].upper()}{message[1:]}."


def _given(model: Model, run: Run) -> dict[str, Array | Stored]:
    """The inputs that `--holdout` or `--data` named; a program's own sources are read later."""
    _fix_classes(model, run)
    given: dict[str, Array | Stored] = {}
    for tensor in model.inputs:
        reference = run.holdout.get(tensor.name) or run.data.get(tensor.name)
        if reference in (None, tensor.source):
            continue
        if reference == IN_MEMORY:
            raise ValueError(f"`{tensor.name}` was given as an array, which a run does not keep")
        given[tensor.name] = model.sources.read(tensor.name, reference)
    return given


def _fix_classes(model: Model, run: Run) -> None:
    """Reads the labels that were trained on: they said what the classes are."""
    for tensor in model.inputs:
        reference = run.data.get(tensor.name) if tensor.name in run.holdout else None
        if not tensor.integer or reference in (None, IN_MEMORY):
            continue
        if reference == tensor.source:
            model.load_input(tensor)
        else:
            model.sources.read(tensor.name, reference)


def _labels(model: Model, index: str, extents: Mapping[str, int]) -> Sequence[str]:
    """The names of the classes: those that text labels gave, else their numbers."""
    size = extents[index]
    found = model.classes.get(index, ())
    return [*found, *map(str, range(len(found), size))][:size]


def _chosen(everyone: int, holdout: float, seed: int) -> tuple[NDArray[np.intp], str]:
    which, described = np.arange(everyone, dtype=np.intp), "all examples"
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
