"""Training on whole arrays: what `model.fit` and `einbatch run` do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import cast

import numpy as np
from numpy.typing import ArrayLike

from einbatch.backends.numpy.threads import deterministic
from einbatch.diagnostics import Diagnostic, EinbatchError, diagnostic
from einbatch.elaborate import constant_values
from einbatch.ir import Tensor
from einbatch.model.arrays import Array
from einbatch.model.beginning import Manner, begin
from einbatch.model.binding import Known, Load, bind
from einbatch.model.examples import gather_examples
from einbatch.model.trainer import Trainer, Updating
from einbatch.train.loop import Examples, evaluate, train
from einbatch.train.options import Options, check_holdout, resolve_options
from einbatch.train.state import Epoch


@dataclass(frozen=True, slots=True)
class Best:
    """The params after the best epoch, its number, and the loss over what is held out.

    `params` has the states too that forward statements read.

    Where nothing is held out, and patience watches, it is the loss of training.
    """

    params: dict[str, Array]
    epoch: int
    loss: float


@dataclass(frozen=True, slots=True)
class Result:
    """What training gives.

    `history` has one entry for each epoch, with `epoch`, `loss`, `reports` (under
    `train` and `holdout`) and `holdout_loss`; `loss` and `reports` are those of the
    last. Losses and reports of an epoch are means over its minibatches, weighted by
    examples; those held out are taken at its end. `best` is kept where something is held
    out, or patience was given.
    """

    params: dict[str, Array]
    state: dict[str, Array | int]
    loss: float
    holdout_loss: float | None
    reports: dict[str, dict[str, float]]
    history: list[dict[str, object]]
    best: Best | None = None


class _Learner:
    """A trainer, and its forward statements for what is held out."""

    def __init__(self, trainer: Trainer, updating: Updating) -> None:
        self.trainer = trainer
        self.updating = updating
        self.advance = trainer.advance
        self.program = updating.execution.part(updating.program, updating.outputs)
        self.best: dict[str, Array] = {}
        self._known = Known()

    def begin(self, steps: int) -> None:
        """Tells the trainer how many updates there will have been at the end."""
        self.trainer.steps = self.trainer.count + steps

    def keep(self) -> None:
        """Remembers the params as they are, and the states that go with them."""
        kept = self.trainer.kept
        self.best = {name: kept[name].copy() for name in self.updating.learnt}

    def evaluate(self, arrays: Mapping[str, Array]) -> tuple[float, ...]:
        """Objective and reports at the params as they are."""
        execution = self.updating.execution
        given = {**arrays, **self.trainer.kept}
        bound = bind(self.program, given, execution.dtype, known=self._known)
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
    apart: Mapping[str, ArrayLike] | None = None,
) -> Result:
    """Trains on arrays; see `Model.fit`."""
    options = resolve_options(updating.source, constant_values(updating.source, {}), {}, overrides)
    trainer = Trainer(updating, params, state, options.seed, load)
    examples = gather_examples(updating, given, trainer.start(given), load, options.batch)
    if apart is None and updating.source.batch is not None:
        check_holdout(updating.source, options, examples.count, overrides)
    others = None if apart is None else _held_out(updating, apart, examples, trainer, options.batch)
    learner = _Learner(trainer, updating)
    objective = updating.source.objective
    ascends = objective is not None and objective.sense == "maximize"
    with deterministic(manner.deterministic):
        loop = begin(trainer, updating, options, examples.extents, manner)
        learner.best = {n: loop.best[n] for n in updating.learnt if n in loop.best}
        history = train(
            learner, examples, options, loop.watch, loop.state, apart=others, ascends=ascends
        )
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
        _best(learner, history, options, ascends=ascends),
    )


def _held_out(
    updating: Updating,
    given: Mapping[str, ArrayLike],
    examples: Examples,
    trainer: Trainer,
    batch: int,
) -> Examples:
    """Examples of their own to hold out; what has no examples is what training has."""
    alike = [name for name, axis in examples.axes.items() if axis is None]  # all in memory
    same = {name: cast(Array, examples.arrays[name]) for name in alike}
    needed = (updating.source.tensor(name) for name in examples.axes)
    left = [t for t in needed if t.initial is None and t.name not in {**same, **given}]
    if left:
        raise EinbatchError([_not_held_out(tensor) for tensor in left])
    return gather_examples(updating, {**same, **given}, trainer.kept, None, batch)


def _not_held_out(tensor: Tensor) -> Diagnostic:
    return diagnostic(
        "E0613",
        f"input `{tensor.name}` is not bound for the examples that are held out",
        (tensor.span, "declared here"),
        help=f"give it beside the others: `--holdout {tensor.name}=FILE`, "
        f'or `holdout={{"{tensor.name}": …}}` from Python',
    )


def _best(
    learner: _Learner, history: Sequence[Epoch], options: Options, *, ascends: bool
) -> Best | None:
    whole = [record for record in history if record.complete and isfinite(record.judged)]
    if not learner.best or not (options.patience or any(record.holdout for record in whole)):
        return None
    found = (max if ascends else min)(whole, key=lambda record: record.judged)
    return Best(learner.best, found.number, found.judged)


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
