"""Training on whole arrays: what `model.fit` and `einbatch run` do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from einbatch.elaborate import constant_values
from einbatch.model.arrays import Array
from einbatch.model.binding import Load, bind
from einbatch.model.examples import gather_examples
from einbatch.model.restrict import restrict
from einbatch.model.trainer import Trainer, Updating
from einbatch.train.loop import Epoch, Progress, evaluate, train
from einbatch.train.options import resolve_options


@dataclass(frozen=True, slots=True)
class Result:
    """What training gives.

    `history` has one entry for each epoch, with `epoch`, `loss`, `reports` (under
    `train` and `holdout`) and `holdout_loss`; `loss` and `reports` are those of the
    last. Losses and reports of an epoch are means over its minibatches, weighted by
    examples; those held out are taken at its end.
    """

    params: dict[str, Array]
    state: dict[str, Array | int]
    loss: float
    holdout_loss: float | None
    reports: dict[str, dict[str, float]]
    history: list[dict[str, object]]


class _Learner:
    """A trainer, and its forward statements for what is held out."""

    def __init__(self, trainer: Trainer, updating: Updating) -> None:
        self.trainer = trainer
        self.updating = updating
        self.advance = trainer.advance
        self.program = restrict(updating.program, updating.outputs)

    def evaluate(self, arrays: Mapping[str, Array]) -> tuple[float, ...]:
        """Objective and reports at the params as they are."""
        execution = self.updating.execution
        bound = bind(self.program, {**arrays, **self.trainer.kept}, execution.dtype)
        names = self.updating.outputs
        values = execution.run(self.program, bound.arrays, bound.extents, names)
        return self.updating.values(tuple(values[name] for name in names))


def fit(
    updating: Updating,
    given: Mapping[str, ArrayLike],
    params: Mapping[str, ArrayLike] | None,
    state: Mapping[str, ArrayLike] | None,
    overrides: Mapping[str, int | float | None],
    load: Load | None,
    progress: Progress | None,
) -> Result:
    """Trains on arrays; see `Model.fit`."""
    options = resolve_options(updating.source, constant_values(updating.source, {}), {}, overrides)
    trainer = Trainer(updating, params, state, options.seed, load)
    kept = trainer.start(given)
    examples, _ = gather_examples(updating, given, kept, load, options.batch)
    learner = _Learner(trainer, updating)
    history = train(learner, examples, options, progress)
    if history:
        last = history[-1]
    else:
        start = evaluate(learner, examples, np.arange(examples.count), options.batch)
        last = Epoch(0, start, None)
    reports = _reports(updating, last)
    return Result(
        trainer.params,
        trainer.state,
        last.train[0],
        None if last.holdout is None else last.holdout[0],
        reports,
        [entry(updating, record) for record in history],
    )


def entry(updating: Updating, record: Epoch) -> dict[str, object]:
    """An epoch as `history` lists it."""
    found: dict[str, object] = {"epoch": record.number, "loss": record.train[0]}
    if record.holdout is not None:
        found["holdout_loss"] = record.holdout[0]
    found["reports"] = _reports(updating, record)
    return found


def _reports(updating: Updating, record: Epoch) -> dict[str, dict[str, float]]:
    held = () if record.holdout is None else record.holdout[1:]
    return {
        "train": dict(zip(updating.reports, record.train[1:], strict=True)),
        "holdout": dict(zip(updating.reports, held, strict=False)),
    }
