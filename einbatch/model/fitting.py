"""Training on whole arrays: what `model.fit` and `einbatch run` do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from einbatch.backends.numpy.threads import deterministic
from einbatch.diagnostics import fail
from einbatch.elaborate import constant_values
from einbatch.ir import Extent, Program, Tensor, walk
from einbatch.model.arrays import Array
from einbatch.model.beginning import Manner, begin
from einbatch.model.binding import Load, bind
from einbatch.model.restrict import restrict
from einbatch.model.trainer import Trainer, Updating
from einbatch.train.loop import Examples, evaluate, train
from einbatch.train.options import resolve_options
from einbatch.train.state import Epoch


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
    manner: Manner,
) -> Result:
    """Trains on arrays; see `Model.fit`."""
    program = updating.program
    options = resolve_options(updating.source, constant_values(updating.source, {}), {}, overrides)
    trainer = Trainer(updating, params, state, options.seed, load)
    bound = trainer.bind(given)
    names = [t.name for t in program.of_kind("input") if t.name != updating.counter]
    arrays = {name: bound.arrays[name] for name in names}
    axes = {name: _batch_axis(program, program.tensor(name)) for name in names}
    count = bound.extents[program.batch] if program.batch else 1
    learner = _Learner(trainer, updating)
    examples = Examples(arrays, axes, count)
    with deterministic(manner.deterministic):
        loop = begin(trainer, updating, options, bound.extents, manner)
        objective = updating.source.objective
        ascends = objective is not None and objective.sense == "maximize"
        history = train(learner, examples, options, loop.watch, loop.state, ascends=ascends)
        if history:
            last = history[-1]
        else:
            start = evaluate(learner, examples, np.arange(count), options.batch)
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


def _batch_axis(program: Program, tensor: Tensor) -> int | None:
    """The axis that the examples lie on; E0620 where minibatches cannot be cut from it."""
    if program.batch is None:
        return None
    batch = program.index(program.batch).extent
    found = [k for k, extent in enumerate(tensor.extents) if extent == batch]
    symbols = {node for node in walk(batch) if isinstance(node, Extent)}
    made = [e for e in tensor.extents if e != batch and symbols & set(walk(e))]
    if len(found) > 1 or made:
        raise fail(
            "E0620",
            f"no minibatch can be cut from `{tensor.name}`: its examples lie on no single axis",
            (tensor.span, "declared here"),
            (program.index(program.batch).span, "the batch index"),
            help=f"give it one axis of the index `{program.batch}`",
        )
    return found[0] if found else None
