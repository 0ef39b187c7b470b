"""Training, the fast way: params and state stay where they are, and are rewritten there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike

from einbatch.autodiff import differentiate
from einbatch.backends.numpy.memory import settled
from einbatch.diagnostics import EinbatchError, fail
from einbatch.elaborate import bind_extents
from einbatch.ir import Program, reads, statements_of
from einbatch.model.arrays import Array, convert, is_plain, missing, own, shape_of
from einbatch.model.binding import Bound, Load, bind, refuse_large_params
from einbatch.model.draws import Moment, drawn
from einbatch.model.execution import Execution, mean_of
from einbatch.model.initial import Initial
from einbatch.model.names import check_names, merge_names
from einbatch.model.restrict import restrict
from einbatch.train.updates import STEP, STEPS, Training

Advance = Callable[[Mapping[str, Array]], tuple[float, ...]]
Shapes = tuple[tuple[int, ...], ...]
_largest = np.maximum.reduce


class Updating:
    """What one update computes: the loss, what is shown beside it, new params and new state.

    The loss is the first objective's value; further ones are shown with the reports.
    `moved` are the params and states that the update has to do with; others stay.
    """

    def __init__(self, training: Training, execution: Execution) -> None:
        training.check()
        program = training.program
        assert program.objective is not None
        self.execution = execution
        self.counters = training.counters
        self.objective = program.objective.tensor
        self.reports = program.shown
        self.outputs = (self.objective, *self.reports)
        simplify = "simplify" not in execution.without
        derived = differentiate(program, keep=True, simplify=simplify)
        steps = (*derived.statements, *derived.reports)  # of the params before the update
        derived = replace(derived, statements=steps, reports=())
        self.program = restrict(derived, self.outputs, updates=True)
        self.source = program
        self.params = tuple(tensor.name for tensor in program.of_kind("param"))
        self.states = tuple(tensor.name for tensor in program.of_kind("state"))
        self.moved = tuple(
            name for name in (*self.params, *self.states) if self.program.find_tensor(name)
        )
        self.learnt = (*self.params, *running_states(program))

    def counted(self, count: int, steps: int | None) -> dict[str, Array]:
        """The inputs that take the number of the update and of all, where the updates read them."""
        if not self.counters:
            return {}
        if STEPS in self.counters and steps is None:
            raise _no_total()
        numbers = {STEP: count, STEPS: steps}
        return {name: np.asarray(numbers[name], self.execution.dtype) for name in self.counters}

    def values(self, results: tuple[object, ...]) -> tuple[float, ...]:
        """Objectives and reports as numbers: an objective's mean over the batch."""
        return tuple(map(mean_of, results))


def running_states(program: Program) -> tuple[str, ...]:
    """The states that forward statements read: running averages, as good as params later on."""
    steps = statements_of((*program.statements, *program.reports))
    read = {item.tensor for step in steps for item in reads(step.value)}
    return tuple(tensor.name for tensor in program.of_kind("state") if tensor.name in read)


@dataclass(frozen=True, slots=True)
class _Kind:
    """What an input was when it was bound: its dtype, and what its integers are below."""

    name: str
    dtype: np.dtype[Any]
    below: int | None

    def is_met(self, array: Any) -> bool:  # Any: whatever a caller gives
        """True for an array that needs no conversion, its integers in range."""
        if type(array) is not np.ndarray:
            return False
        if array.dtype != self.dtype or not is_plain(array):
            return False
        # As an unsigned number, a negative one is beyond every extent.
        return self.below is None or _largest(array.view(np.uint64), None, initial=0) < self.below


def _shape_of_array(value: Any) -> tuple[int, ...]:  # Any: whatever a caller gives
    return value.shape if type(value) is np.ndarray else ()


class Trainer:
    """Params and state under training. `step` is one update; `params` a copy of what it left."""

    def __init__(
        self,
        updating: Updating,
        params: Mapping[str, ArrayLike] | None,
        state: Mapping[str, ArrayLike] | None,
        seed: int,
        load: Load | None = None,
        steps: int | None = None,
    ) -> None:
        self.steps = steps
        """The number of updates of the whole training, which only `steps` in a program needs."""
        self._updating = updating
        self._given = None if params is None else merge_names(params)
        self._state = None if state is None else merge_names(state)
        self._seed = seed
        self._load = load
        self._kept: dict[str, Array] = {}
        self._count = 0
        self._advances: dict[Shapes, Advance] = {}
        self._kinds: dict[Shapes, tuple[_Kind, ...]] = {}
        self._draws = updating.program.of_kind("draw")
        inputs = updating.program.of_kind("input")
        self._inputs = tuple(t for t in inputs if t.name not in updating.counters)
        declared = updating.source.of_kind("input")
        self._names = tuple(t.name for t in declared if t.name not in updating.counters)
        if self._given is not None:
            check_names(self._given, updating.learnt, "param")

    @property
    def kept(self) -> Mapping[str, Array]:
        """Params and states where they lie; updates rewrite them."""
        return self._kept

    @property
    def count(self) -> int:
        """The number of updates so far."""
        return self._count

    @property
    def params(self) -> dict[str, Array]:
        """The params as they are now, as arrays of the caller's own."""
        if not self._kept and self._given is not None:
            return self._converted(self._given)
        self._start({})
        return {name: self._kept[name].copy() for name in self._updating.params}

    def _converted(self, given: Mapping[str, ArrayLike]) -> dict[str, Array]:
        program, dtype = self._updating.source, self._updating.execution.dtype
        tensors = [tensor for tensor in program.of_kind("param") if tensor.name in given]
        return {t.name: convert(t, given[t.name], dtype).copy() for t in tensors}

    @property
    def state(self) -> dict[str, Array | int]:
        """The optimizer's state as it is now, and `step`, the number of updates so far."""
        self._start({})
        states = {name: self._kept[name].copy() for name in self._updating.states}
        return {STEP: self._count, **states}

    def restore(self, kept: Mapping[str, Array], step: int) -> None:
        """Goes back to params and states as they were after `step` updates."""
        for name, array in self._kept.items():
            np.copyto(array, kept[name])
        self._count = step

    def step(self, data: Mapping[str, ArrayLike] | None = None, **inputs: ArrayLike) -> float:
        """One update on a minibatch; the objective before it."""
        if data is None and (advance := self._as_before(inputs)) is not None:
            values = advance(cast("Mapping[str, Array]", inputs))
            self._count += 1
            return values[0]
        given = merge_names(data, inputs)
        check_names(given, self._names, "input")
        bound = self.bind(given)
        arrays = bound.arrays
        self._kinds[self._shapes(arrays)] = tuple(
            _Kind(t.name, arrays[t.name].dtype, bound.extents.get(t.member or ""))
            for t in self._inputs
        )
        return self.advance(arrays)[0]

    def _as_before(self, given: Mapping[str, ArrayLike]) -> Advance | None:
        """What updates on these inputs, where all are arrays of a kind that was bound before."""
        if len(given) != len(self._inputs):
            return None
        arrays: list[object] = [given.get(tensor.name) for tensor in self._inputs]
        shapes = tuple([_shape_of_array(array) for array in arrays])
        kinds = self._kinds.get(shapes)
        if kinds is None:
            return None
        for kind, array in zip(kinds, arrays, strict=True):
            if not kind.is_met(array):
                return None
        return self._advances.get(shapes)

    def _shapes(self, arrays: Mapping[str, Array]) -> Shapes:
        return tuple(arrays[tensor.name].shape for tensor in self._inputs)

    def bind(self, given: Mapping[str, ArrayLike]) -> Bound:
        """The inputs of an update, checked; the trainer starts with the first ones."""
        updating = self._updating
        self._start(given)
        fixed = {**given, **updating.counted(1, self.steps or 1), **self._kept}
        moment = Moment(self._seed, self._count + 1, training=True)
        return bind(updating.program, fixed, updating.execution.dtype, self._load, moment)

    def advance(self, arrays: Mapping[str, Array]) -> tuple[float, ...]:
        """One update on arrays that `bind` has checked: the objective, then the reports."""
        shapes = self._shapes(arrays)
        advance = self._advances.get(shapes)
        if advance is None:
            advance = self._advance_on(arrays)
            self._advances[shapes] = advance
        values = advance(arrays)
        self._count += 1
        return values

    def _advance_on(self, arrays: Mapping[str, Array]) -> Advance:
        updating, kept = self._updating, self._kept
        execution, program = updating.execution, updating.program
        shapes = {t.name: arrays[t.name].shape for t in self._inputs}
        extents = bind_extents(program, shapes)
        if execution.is_planned:
            emitted = execution.emitted(program, extents, updating.outputs, updates=True)
            names = [operand.name for operand in emitted.plan.inputs]
            run = emitted.runner.bind(kept)

            if names and not self._draws and not updating.counters:
                return lambda arrays: updating.values(run(*[arrays[name] for name in names]))

            def planned(arrays: Mapping[str, Array]) -> tuple[float, ...]:
                given = {**arrays, **self._given_by_step(extents)}
                return updating.values(run(*[given[name] for name in names]))

            return planned
        outputs = (*updating.outputs, *updating.moved)

        def walked(arrays: Mapping[str, Array]) -> tuple[float, ...]:
            given = {**arrays, **kept, **self._given_by_step(extents)}
            values = execution.run(program, given, extents, outputs, updates=True)
            for name in updating.moved:
                np.copyto(kept[name], values[name])
            return updating.values(tuple(values[name] for name in updating.outputs))

        return walked

    def reading(self, arrays: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, int]]:
        """All that the next update on a minibatch reads, by name, and the extents."""
        shapes = {t.name: arrays[t.name].shape for t in self._inputs}
        extents = bind_extents(self._updating.program, shapes)
        return {**arrays, **self._given_by_step(extents), **self._kept}, extents

    def _given_by_step(self, extents: Mapping[str, int]) -> dict[str, Array]:
        """The number of the update, its random draws, and `training`, where they are read."""
        updating, step = self._updating, self._count + 1
        if not self._draws:
            return updating.counted(step, self.steps)
        moment = Moment(self._seed, step, training=True)
        draws = drawn(updating.program, extents, updating.execution.dtype, moment)
        return {**updating.counted(step, self.steps), **draws}

    def start(self, given: Mapping[str, ArrayLike]) -> Mapping[str, Array]:
        """Params and states where they lie; made now, if `given` is what fixes their extents."""
        self._start(given)
        return self._kept

    def _start(self, given: Mapping[str, ArrayLike]) -> None:
        """Makes params and state, once what fixes their extents is there."""
        if self._kept:
            return
        self._kept, self._count = starting_values(
            self._updating, self._given, self._state, given, self._seed, self._load
        )
        self._given = self._state = None  # the caller's arrays may go now


def starting_values(
    updating: Updating,
    params: Mapping[str, ArrayLike] | None,
    state: Mapping[str, ArrayLike] | None,
    inputs: Mapping[str, ArrayLike],
    seed: int,
    load: Load | None,
) -> tuple[dict[str, Array], int]:
    """Params and state of our own, drawn or initial where none are given, and the updates so far.

    `params` and `state` are mappings that nobody else has; their arrays may be anybody's.
    """
    program, dtype = updating.source, updating.execution.dtype
    names = (*updating.params, *updating.states)
    part = restrict(program, names)
    shapes = input_shapes(part, inputs, load)
    extents = bind_extents(part, shapes)
    refuse_large_params(part, extents, dtype)
    kept: dict[str, Array] = {}
    initial = Initial(program, extents, seed, dtype)
    for name in names:
        tensor = program.tensor(name)
        given = params if tensor.kind == "param" else state
        if given is None and params is not None and name in params:
            given = params  # a running average that was saved with them
        if given is None:
            kept[name] = initial.array(tensor)
        elif name in given:
            kept[name] = own(tensor, given, dtype)
        else:
            raise missing(tensor)
        kept[name] = settled(kept[name])
    bind_extents(part, {**shapes, **{name: array.shape for name, array in kept.items()}})
    return kept, _count_in(state, updating)


def _count_in(state: Mapping[str, ArrayLike] | None, updating: Updating) -> int:
    if state is None:
        return 0
    check_names(state, (STEP, *updating.states), "state")
    try:
        count = np.asarray(state[STEP])
        if count.ndim == 0 and count.dtype.kind in "iuf" and count >= 0 and count == int(count):
            return int(count)
    except Exception:  # no key, or whatever a foreign `__array__` raises
        pass
    raise _no_count()


def _no_total() -> EinbatchError:
    return fail(
        "E0625",
        f"the updates read `{STEPS}`, and nobody says how many updates there will be",
        help=f"give it: `{STEPS}=1000`; `fit` and `einbatch run` count the updates themselves",
    )


def _no_count() -> EinbatchError:
    return fail(
        "E0622",
        f"the state has no `{STEP}`, the number of updates so far",
        help="give back the state that `step` or `trainer.state` gave, or None to start anew",
    )


def input_shapes(
    part: Program, inputs: Mapping[str, ArrayLike], load: Load | None
) -> dict[str, tuple[int, ...]]:
    """The shapes of a program's inputs, of those that are given or can be loaded."""
    shapes: dict[str, tuple[int, ...]] = {}
    for tensor in part.of_kind("input"):
        if tensor.name in inputs:
            shapes[tensor.name] = shape_of(tensor, inputs[tensor.name])
        elif tensor.source is not None and load is not None:
            shapes[tensor.name] = shape_of(tensor, load(tensor))
    return shapes
