"""Params put to use on examples: the objective and reports over them, or tensors for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from einbatch.data.datafile import check_size
from einbatch.diagnostics import fail
from einbatch.ir import Program, reads, statements_of
from einbatch.model.arrays import Array, missing
from einbatch.model.binding import Known, Load, bind
from einbatch.model.examples import gather_examples
from einbatch.model.execution import Execution, mean_of
from einbatch.plan import allowance
from einbatch.train.loop import LARGEST_EVALUATION, Examples, evaluate


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The objective (None where the program has none) and each report over `examples`."""

    loss: float | None
    reports: dict[str, float]
    examples: int


class Forward:
    """Forward statements, as far as some tensors need them, at fixed params.

    `kept` are the params, and the states that forward statements read.
    """

    counters: tuple[str, ...] = ()

    def __init__(
        self,
        program: Program,
        outputs: tuple[str, ...],
        execution: Execution,
        kept: Mapping[str, Array],
    ) -> None:
        self.program = self.source = execution.part(program, outputs)
        self.outputs = outputs
        self.execution = execution
        self._known = Known()
        for tensor in self.program.of_kind("param"):
            if tensor.name not in kept:
                raise missing(tensor)
        names = {tensor.name for tensor in self.program.tensors}
        self.kept = {name: array for name, array in kept.items() if name in names}

    def gather(self, given: Mapping[str, ArrayLike], load: Load | None) -> Examples:
        """The inputs that are needed, checked; E0613 where one is missing."""
        return gather_examples(self, given, self.kept, load, LARGEST_EVALUATION)

    def values(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs on some examples."""
        given, dtype = {**arrays, **self.kept}, self.execution.dtype
        bound = bind(self.program, given, dtype, known=self._known)
        computed = tuple(n for n in self.outputs if self.program.tensor(n).kind == "value")
        values = self.execution.run(self.program, bound.arrays, bound.extents, computed)
        return {n: values[n] if n in values else bound.arrays[n] for n in self.outputs}

    def evaluate(self, arrays: Mapping[str, Array]) -> tuple[float, ...]:
        """The mean of each output on some examples."""
        values = self.values(arrays)
        return tuple(mean_of(values[name]) for name in self.outputs)


def evaluate_program(
    program: Program,
    execution: Execution,
    kept: Mapping[str, Array],
    given: Mapping[str, ArrayLike],
    load: Load | None,
) -> Evaluation:
    """Objective and reports over all examples; E0841 where there is neither."""
    objective = () if program.objective is None else (program.objective.tensor,)
    reports = program.shown
    if not objective and not reports:
        raise fail(
            "E0841",
            "the program has neither an objective nor a report to evaluate",
            help="add `minimize loss` or `report accuracy = …`",
        )
    forward = Forward(program, (*objective, *reports), execution, kept)
    examples = forward.gather(given, load)
    values = evaluate(forward, examples, np.arange(examples.count), LARGEST_EVALUATION)
    shown = dict(zip(reports, values[len(objective) :], strict=True))
    return Evaluation(values[0] if objective else None, shown, examples.count)


def predict(
    program: Program,
    outputs: tuple[str, ...],
    execution: Execution,
    kept: Mapping[str, Array],
    given: Mapping[str, ArrayLike],
    load: Load | None,
) -> dict[str, Array]:
    """Some tensors for all examples, computed for so many at a time.

    Raises E0842 for a tensor whose examples lie on another axis than its first, E0710
    where the predictions are beyond the memory allowance.
    """
    forward = Forward(program, outputs, execution, kept)
    batched = [name for name in outputs if is_batched(program, name)]
    examples = forward.gather(given, load)
    size = LARGEST_EVALUATION if batched else examples.count
    found: dict[str, Array] = {}
    for start in range(0, examples.count, size):
        order = np.arange(start, min(start + size, examples.count))
        for name, value in forward.values(examples.take(order)).items():
            if name not in batched:
                found[name] = value
                continue
            shape = (examples.count, *value.shape[1:])
            if name not in found:
                check_size(shape, value.itemsize, f"`{name}`", allowance())
                found[name] = np.empty(shape, value.dtype)
            found[name][order] = value
    return found


def is_batched(program: Program, name: str) -> bool:
    """True where a tensor's first axis is that of the examples; E0842 where another one is."""
    if program.batch is None:
        return False
    batch, tensor = program.index(program.batch), program.tensor(name)
    if batch.extent not in tensor.extents:
        return False
    if batch.extent in tensor.extents[1:]:
        raise fail(
            "E0842",
            f"the examples of `{name}` do not lie on its first axis alone",
            (tensor.span, "written here"),
            (batch.span, "the batch index"),
            help=f"predict a tensor that is written `{name}[{batch.name},…]`",
        )
    return True


def default_outputs(program: Program) -> tuple[str, ...]:
    """What a model says about its inputs: the last batched tensors that know no target.

    A target is an input that nothing computed from meets a param any more: the labels
    that the loss compares with. Of the batched tensors that come from params and from
    no target, those are taken that no other of them is computed from, the objective
    aside. E0843 where there is none.
    """
    learnt = {tensor.name for tensor in program.of_kind("param")}
    sources: dict[str, set[str]] = {}
    for statement in statements_of(program.statements):
        parts = (*statement.subscripts, statement.value)
        read = {item.tensor for part in parts for item in reads(part)}
        sources.setdefault(statement.target, set()).update(read)
    inputs = {tensor.name for tensor in program.of_kind("input")}
    objectives = {objective.tensor for objective in program.objectives}
    features: set[str] = set()
    for name, read in sources.items():
        if read & learnt and name not in objectives:
            features |= _below(name, sources) & inputs
    found: list[str] = []
    for name in sources:
        below = _below(name, sources)
        if name not in objectives and below & learnt and not (below & inputs) - features:
            found.append(name)
    batch = None if program.batch is None else program.index(program.batch).extent
    found = [name for name in found if batch in program.tensor(name).extents]
    last = tuple(n for n in found if not any(n in _below(o, sources) for o in found if o != n))
    if not last:
        raise fail(
            "E0843",
            "the program does not show which tensors are its predictions",
            help="name them: `--output y`",
        )
    return last


def _below(name: str, sources: Mapping[str, set[str]]) -> set[str]:
    """Everything that a tensor is computed from, itself left out."""
    found: set[str] = set()
    waiting = [*sources.get(name, ())]
    while waiting:
        item = waiting.pop()
        if item not in found:
            found.add(item)
            waiting += sources.get(item, ())
    return found
