"""A program from Python: what `import einbatch` hands out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from numpy.typing import ArrayLike

from einbatch.diagnostics import Diagnostic, Span
from einbatch.elaborate import bind_extents, erase, find_origins, find_warnings
from einbatch.ir import Program, statements_of
from einbatch.model.arrays import Array, missing
from einbatch.model.basis import Basis, Inputs
from einbatch.model.beginning import Manner
from einbatch.model.binding import bind, refuse_large_params
from einbatch.model.draws import EVALUATION, Moment
from einbatch.model.evaluating import (
    Evaluation,
    default_outputs,
    evaluate_program,
    predict,
)
from einbatch.model.execution import mean_of
from einbatch.model.fitting import Result, fit
from einbatch.model.initial import Initial
from einbatch.model.names import check_names, fold_names, merge_names
from einbatch.model.second_order import Curvature, curvature
from einbatch.model.sources import named_sources
from einbatch.model.trainer import Trainer, Updating, input_shapes, starting_values
from einbatch.syntax import unparse
from einbatch.train.loop import Progress
from einbatch.train.recipes import SETTINGS
from einbatch.train.recording import Place, recording_of
from einbatch.train.settings import Overrides, read_setting
from einbatch.train.updates import STEP

State = Mapping[str, ArrayLike]


@dataclass(frozen=True, slots=True)
class Derived:
    """A derived program; `str()` is its text.

    `origins` names the calls of definitions that its statements come from, by their place.
    """

    program: Program
    origins: Mapping[Span, str] = field(default_factory=dict[Span, str], compare=False, repr=False)

    def __str__(self) -> str:
        return unparse(erase(self.program), self.origins)


class Model(Basis):
    """A program, ready to run.

    `program` is the checked program, `tree` its tree, `warnings` what is probably
    not meant. Arrays are of `dtype`; inputs declared `in` are int64. Whatever is
    wrong raises EinbatchError.
    """

    @cached_property
    def warnings(self) -> list[Diagnostic]:
        """What is right, and probably not meant."""
        return find_warnings(self.program)

    @cached_property
    def backward(self) -> Derived:
        """The derived program: forward, seed, backward. `print` shows its text."""
        return self.derive()

    def derive(self, wrt: Collection[str] = (), *, raw: bool = False) -> Derived:
        """The derived program, with cotangents of the inputs `wrt`; `raw` before simplification."""
        program = self._differentiated(fold_names(wrt), raw)
        return Derived(program, find_origins(self.tree))

    def init(
        self, seed: int = 0, data: Inputs | None = None, **inputs: ArrayLike
    ) -> dict[str, Array]:
        """The params at their start: each a fresh array, drawn by `seed` and its name alone.

        Inputs are needed only where they alone fix a param's extents.
        """
        given = self._inputs(data, inputs)
        names = tuple(tensor.name for tensor in self.params)
        part = self._part(self.front.forward, names).program
        extents = bind_extents(part, input_shapes(part, given, self.load_input))
        refuse_large_params(part, extents, self.dtype)
        initial = Initial(self.program, extents, seed, self.dtype)
        return {tensor.name: initial.array(tensor) for tensor in self.params}

    def forward(
        self,
        params: Inputs | None = None,
        data: Inputs | None = None,
        *,
        outputs: Collection[str] | None = None,
        moment: Moment = EVALUATION,
        **inputs: ArrayLike,
    ) -> dict[str, Array]:
        """Every named tensor and report, or only `outputs`, with the inputs that these need.

        `moment` says what random draws are made, unless they are given as inputs, and
        whether this counts as training (`eb.Moment(seed=1, training=True)`).
        """
        chosen = self._forward if outputs is None else fold_names(outputs)
        check_names(chosen, self._forward, "tensor")
        given = self._inputs(data, inputs)
        return self._values(self.front.forward, chosen, self._params(params), given, moment)

    def cotangents(
        self,
        params: Inputs | None = None,
        data: Inputs | None = None,
        *,
        wrt: Collection[str] = (),
        **inputs: ArrayLike,
    ) -> dict[str, Array]:
        """Every `T.grad` that the derived program computes, by the batch convention."""
        derived = self._differentiated(fold_names(wrt), False)
        suffix = self.program.cotangent
        targets = {s.target: None for s in statements_of(derived.statements)}
        names = tuple(name for name in targets if name.endswith(suffix))
        return self._values(derived, names, self._params(params), self._inputs(data, inputs))

    def value_and_grad(
        self,
        params: Inputs | None = None,
        data: Inputs | None = None,
        *,
        wrt: Collection[str] = (),
        moment: Moment = EVALUATION,
        **inputs: ArrayLike,
    ) -> tuple[float, dict[str, Array]]:
        """The objective (the mean loss, or the scalar), and the cotangent of each trained param.

        Of several objectives, the value is the first one's, and a param's cotangent that of
        the objective that is over it. `wrt` adds inputs. A batched tensor's cotangent is B
        times the derivative of the mean, by the batch convention; a param's is the derivative.
        """
        asked = fold_names(wrt)
        derived = self._differentiated(asked, False)
        assert self.program.objective is not None
        objective, suffix = self.program.objective.tensor, self.program.cotangent
        names = tuple(dict.fromkeys((*self.program.trained, *asked)))
        outputs = (objective, *(name + suffix for name in names))
        given = self._inputs(data, inputs)
        values = self._values(derived, outputs, self._params(params), given, moment)
        return mean_of(values[objective]), {name: values[name + suffix] for name in names}

    def hessian_vector_product(
        self,
        params: Inputs | None,
        direction: Inputs,
        data: Inputs | None = None,
        *,
        moment: Moment = EVALUATION,
        **inputs: ArrayLike,
    ) -> dict[str, Array]:
        """The Hessian of the objective to the params, times `direction`, for each trained param.

        `direction` has an array for each of these, of its shape; so has the result. Of
        several objectives, each has its own Hessian, to the params that it is over.
        """
        curved = self._curvature
        given = merge_names(direction)
        check_names(given, list(curved.directions), "param")
        for tensor in self.params:
            if tensor.name in curved.directions and tensor.name not in given:
                raise missing(tensor)
        along = {curved.directions[name]: value for name, value in given.items()}
        whole = {**self._inputs(data, inputs), **along}
        names = tuple(curved.outputs.values())
        values = self._values(curved.program, names, self._params(params), whole, moment)
        return {name: values[output] for name, output in curved.outputs.items()}

    @cached_property
    def _curvature(self) -> Curvature:
        return curvature(self.front.forward, self._differentiated((), False))

    def evaluate(
        self, params: Inputs | None = None, data: Inputs | None = None, **inputs: ArrayLike
    ) -> Evaluation:
        """The objective's mean and each report over all the examples, a thousand at a time."""
        given = self._inputs(data, inputs)
        kept = self._learnt(params, given)
        return evaluate_program(self.front.forward, self.execution, kept, given, self.load_input)

    def predict(
        self,
        params: Inputs | None = None,
        data: Inputs | None = None,
        *,
        outputs: Collection[str] | None = None,
        **inputs: ArrayLike,
    ) -> dict[str, Array]:
        """Some tensors for all the examples: `forward`, a thousand examples at a time.

        Without `outputs` they are the last that know no target, which needs no labels.
        """
        program = self.front.forward
        chosen = default_outputs(program) if outputs is None else fold_names(outputs)
        check_names(chosen, self._forward, "tensor")
        given = self._inputs(data, inputs)
        kept = self._learnt(params, given)
        return predict(program, chosen, self.execution, kept, given, self.load_input)

    def step(
        self,
        params: Inputs,
        state: State | None = None,
        data: Inputs | None = None,
        *,
        seed: int = 0,
        steps: int | None = None,
        **inputs: ArrayLike,
    ) -> tuple[dict[str, Array], dict[str, Array | int]]:
        """One update, by the `train` line or the update statements: new params, new state.

        `state` is None at the start, then what the last call gave. Random draws are
        those of `seed` and of the number of the update. `steps`, the number of all
        updates, is needed where the program reads it.
        """
        given = self._inputs(data, inputs)
        updating = self._updating
        folded = None if state is None else merge_names(state)
        kept, count = starting_values(
            updating, self._params(params), folded, given, 0, self.load_input
        )
        whole = {**given, **updating.counted(count + 1, steps), **kept}
        moment = Moment(seed, count + 1, training=True)
        bound = bind(updating.program, whole, self.dtype, self.load_input, moment)
        program, names = updating.program, updating.moved
        moved = self.execution.run(program, bound.arrays, bound.extents, names, updates=True)
        values = kept | moved
        states: dict[str, Array | int] = {STEP: count + 1}
        states |= {name: values[name] for name in updating.states}
        return {name: values[name] for name in updating.params}, states

    def trainer(
        self,
        params: Inputs | None = None,
        seed: int = 0,
        *,
        state: State | None = None,
        steps: int | None = None,
        optimizer: str | None = None,
        **settings: float | str,
    ) -> Trainer:
        """The fast way to train: `trainer.step(x=…, t=…)` gives the objective.

        `trainer.params` are the params as they are then. `optimizer` and its settings
        override the `train` line; a setting is a number, or an expression as the line
        has it (`lr="0.1*min(1, step/500)"`). `steps`, the number of all updates, is
        needed where the program reads it.
        """
        updating = self._updating_with(optimizer, _settings(self.program, settings))
        return Trainer(updating, params, state, seed, self.load_input, steps)

    def fit(
        self,
        data: Inputs | None = None,
        *,
        params: Inputs | None = None,
        state: State | None = None,
        epochs: int | None = None,
        batch: int | None = None,
        holdout: float | Inputs | None = None,
        patience: int | None = None,
        seed: int | None = None,
        optimizer: str | None = None,
        progress: Progress | None = None,
        checkpoint: Place = None,
        checkpoint_every: int | None = None,
        keep: int | None = None,
        resume: Place | bool = None,
        log: Place = None,
        tensorboard: Place = None,
        check_finite: bool | None = None,
        deterministic: bool = False,
        sources: Mapping[str, str] | None = None,
        holdout_sources: Mapping[str, str] | None = None,
        **inputs: ArrayLike,
    ) -> Result:
        """Trains on arrays, or on the file's own sources, as the `train` line says.

        Every option and setting of the line can be given here too (`epochs=5`,
        `lr=0.1`, `lr="0.1/step"`); an input of the same name goes into `data`.
        `holdout` is a part of the examples, their number, or other examples by name.

        `checkpoint` names a folder for the run: a checkpoint each `checkpoint_every`
        updates (each epoch by default), of which the last `keep` (3) and the best stay,
        and a log. `resume` (a folder, or True for that one) goes on from its newest
        checkpoint to the same bits, or starts afresh where there is none. `log` is a
        file for the log alone, `tensorboard` a folder for TensorBoard's event files.
        `check_finite` stops at the first NaN or infinity (E0820): always, never, or
        (None) in the first 100 updates. `deterministic` gives the same bits for any
        number of threads. `sources` and `holdout_sources` say where given arrays
        come from, for the record.
        """
        declared = {tensor.name for tensor in self.inputs}
        folded = merge_names(inputs)
        settings = {k: v for k, v in folded.items() if k not in declared and k in SETTINGS}
        arrays = {name: value for name, value in folded.items() if name not in settings}
        given = self._inputs(data, arrays)
        apart = self._inputs(holdout, {}) if isinstance(holdout, Mapping) else None
        part = None if isinstance(holdout, Mapping) else holdout
        overrides = {"epochs": epochs, "batch": batch, "holdout": part, "seed": seed}
        overrides["patience"] = patience
        updating = self._updating_with(optimizer, _settings(self.program, settings))
        recording = recording_of(checkpoint, checkpoint_every, keep, resume, log, tensorboard)
        facts = self._facts(given, sources or {})
        if apart is not None:
            facts["holdout"] = named_sources(apart, holdout_sources or {})
        manner = Manner(recording, progress, check_finite, deterministic, facts)
        return fit(updating, given, params, state, overrides, self.load_input, manner, apart)

    def _facts(self, given: Inputs, sources: Mapping[str, str]) -> dict[str, object]:
        """What a run's record says of the program and of where its data come from."""
        data = {t.name: t.source for t in self.inputs if t.source and t.name not in given}
        data |= named_sources(given, sources)
        source = self.front.source
        return {"program": {"path": source.name, "text": source.text}, "data": data}

    @cached_property
    def _updating(self) -> Updating:
        return Updating(self.front.training, self.execution)

    def _updating_with(self, optimizer: str | None, settings: Overrides) -> Updating:
        if optimizer is None and not settings:
            return self._updating
        return Updating(self.front.train_with(optimizer, settings), self.execution)


def _settings(program: Program, settings: Mapping[str, object]) -> Overrides:
    return {name: read_setting(program, name, value) for name, value in settings.items()}
