"""The examples that training takes: arrays in memory, and arrays that stay in their files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, cast

import numpy as np
from numpy.typing import ArrayLike

from einbatch.data import Mapped, Stored
from einbatch.diagnostics import Diagnostic, EinbatchError, fail
from einbatch.elaborate import bind_extents
from einbatch.ir import Extent, Program, Tensor, walk
from einbatch.ir.program import Dtype
from einbatch.model.arrays import Array, as_numbers, check_members, convert, missing
from einbatch.model.binding import Load, refuse_large
from einbatch.model.execution import Execution
from einbatch.model.initial import Initial
from einbatch.model.sources import KEPT_IN_FILE
from einbatch.plan import allowance
from einbatch.train.loop import Examples, Order


class Streamed:
    """An input that stays in its file: what a minibatch takes is converted and checked then."""

    def __init__(
        self,
        program: Program,
        tensor: Tensor,
        stored: Stored,
        dtype: Dtype,
        extents: Mapping[str, int],
    ) -> None:
        self._program = program
        self._tensor = tensor
        self._stored = stored
        self._dtype: Dtype = dtype
        self._extents = extents

    def take(self, order: Order, axis: int) -> Array:
        """The examples of these numbers; E0617 or E0618 where an element is not a class."""
        part = self._stored.take(order, axis)
        array = convert(self._tensor, part, self._dtype, (axis, order))
        check_members(self._program, self._tensor, array, self._extents, (axis, order))
        return array


class Needs(Protocol):
    """What is to run on examples: `program`, of which `source` is what was typed."""

    counters: tuple[str, ...]
    execution: Execution

    @property
    def program(self) -> Program:
        """What runs."""
        ...

    @property
    def source(self) -> Program:
        """The inputs, as they are declared."""
        ...


def gather_examples(
    needs: Needs,
    given: Mapping[str, ArrayLike],
    kept: Mapping[str, Array],
    load: Load | None,
    batch: int,
) -> Examples:
    """The inputs of training, checked, and all extents; those in large files are checked later.

    `kept` are params and states, `batch` the examples of a minibatch, for which the
    program has to fit the memory allowance. Raises EinbatchError with everything that
    is missing or unfit.
    """
    program, dtype = needs.source, needs.execution.dtype
    inputs = [t for t in program.of_kind("input") if t.name not in needs.counters]
    axes = {tensor.name: _batch_axis(program, tensor) for tensor in inputs}
    found: dict[str, Array | Stored] = {}
    errors: list[Diagnostic] = []
    for tensor in inputs:
        if tensor.initial is not None and tensor.name not in given:
            continue
        try:
            found[tensor.name] = _held(tensor, given, load, dtype, axes[tensor.name])
        except EinbatchError as error:
            errors.extend(error.diagnostics)
    if errors:
        raise EinbatchError(errors)
    shapes = {name: array.shape for name, array in (*found.items(), *kept.items())}
    extents = bind_extents(needs.program, shapes)
    count = extents[program.batch] if program.batch else 1
    _refuse_large_minibatch(needs.program, shapes, axes, batch, dtype)
    arrays: dict[str, Array | Streamed] = {}
    initial = Initial(program, extents, 0, dtype)
    for tensor in inputs:
        array = found.get(tensor.name)
        if array is None:
            array = initial.array(tensor)
        if isinstance(array, Stored):
            arrays[tensor.name] = Streamed(program, tensor, array, dtype, extents)
            continue
        arrays[tensor.name] = array
        try:
            check_members(program, tensor, array, extents)
        except EinbatchError as error:
            errors.extend(error.diagnostics)
    if errors:
        raise EinbatchError(errors)
    return Examples(arrays, axes, count, extents)


def _held(
    tensor: Tensor,
    given: Mapping[str, ArrayLike],
    load: Load | None,
    dtype: Dtype,
    axis: int | None,
) -> Array | Stored:
    """What is bound to an input: converted, or still in its file where examples lie on an axis."""
    if tensor.name in given:
        value = given[tensor.name]
    elif tensor.source is not None and load is not None:
        value = load(tensor)
    else:
        raise missing(tensor)
    stored = value if isinstance(value, Stored) else _mapped(tensor, value)
    return convert(tensor, value, dtype) if stored is None or axis is None else stored


def _mapped(tensor: Tensor, value: ArrayLike) -> Mapped | None:
    """A large array of the caller's that lies in a file (`np.load(…, mmap_mode="r")`), as such."""
    if not isinstance(value, np.memmap) or value.nbytes <= KEPT_IN_FILE:
        return None
    return Mapped.of(as_numbers(tensor, cast(Array, value)), f"`{tensor.name}`", allowance())


def _refuse_large_minibatch(
    program: Program,
    shapes: Mapping[str, tuple[int, ...]],
    axes: Mapping[str, int | None],
    batch: int,
    dtype: Dtype,
) -> None:
    """E0701 where a tensor is beyond the allowance, for as many examples as a minibatch has."""
    cut = dict(shapes)
    for name, axis in axes.items():
        if axis is not None and name in shapes:
            shape = shapes[name]
            cut[name] = (*shape[:axis], min(batch, shape[axis]), *shape[axis + 1 :])
    refuse_large(program, bind_extents(program, cut), dtype)


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
