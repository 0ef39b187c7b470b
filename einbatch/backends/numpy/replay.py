"""A step of an emitted module made native: recorded once, replayed by `replay.c`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from mmap import mmap
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from einbatch.backends.numpy import native
from einbatch.backends.numpy.encode import encode
from einbatch.backends.numpy.record import Recorder
from einbatch.backends.numpy.stand_ins import stand_ins
from einbatch.plan.plan import Operand, Plan

# Any: an array is of floats or of integers.
Array: TypeAlias = NDArray[Any]
Step = Callable[..., "tuple[Array, ...]"]


@dataclass(frozen=True, slots=True)
class Replayed:
    """A native step.

    `run` takes the inputs, then an array for each of the outputs numbered in `free`:
    these are computed in there, if they are given, else in memory of the step's own.
    """

    run: Step
    outputs: tuple[Array, ...]
    free: tuple[int, ...]


def replayed(
    namespace: dict[str, object], plan: Plan, owned: Sequence[Array], *, hands_out: bool
) -> Replayed:
    """The step of an executed module, bound to the arrays that it owns.

    What a line of the step would do is noted by a stand-in for NumPy, see `record.py`.
    With `hands_out`, outputs go to memory that the caller gives.
    """
    recorder = Recorder()
    own = {name: thing for name, thing in namespace.items() if name != "np"}
    namespace |= stand_ins(recorder, own)
    inputs = [_placeholder(plan, operand) for operand in plan.inputs]
    try:
        step = cast(Callable[..., Step], namespace["bind"])(*owned)
        with recorder:
            outputs = step(*inputs)
    finally:
        namespace |= {**own, "np": np}
    free = _free_outputs(plan, outputs) if hands_out else ()
    given = [*inputs, *(outputs[k] for k in free)]
    code, moved = encode(recorder.instructions, given, plan.without)
    check = cast("Callable[[int, Array, int], None] | None", own.get("check"))
    failed = _Failed(recorder.checked, given, check)
    sizes = tuple(array.nbytes for array in given)
    kept = (step, recorder.kept, owned)
    run = native.replay(code, moved, sizes, outputs, failed, kept)
    others = [output for number, output in enumerate(outputs) if number not in free]
    if all(_owner(output, given) is None for output in others):
        return Replayed(run, outputs, free)

    def run_elsewhere(*arrays: Array) -> tuple[Array, ...]:
        return tuple(_moved(output, given, arrays) for output in run(*arrays))

    return Replayed(run_elsewhere, outputs, free)


def _free_outputs(plan: Plan, outputs: Sequence[Array]) -> tuple[int, ...]:
    """The outputs that are all of an array that nothing else needs, of the type that is wanted."""
    found: dict[int, int] = {}
    for number, (operand, output) in enumerate(zip(plan.outputs, outputs, strict=True)):
        root = plan.roots[operand.value]
        alone = plan.buffers[root].place == "output" and output.size > 0
        wanted = np.dtype("int64" if operand.integer else plan.dtype)
        whole = (
            output.flags.c_contiguous and output.nbytes == plan.values[root].size * wanted.itemsize
        )
        if alone and whole and output.dtype == wanted:
            found.setdefault(root, number)
    return tuple(found.values())


class _Failed:
    """Says which integer of a check is outside its axis, by raising the module's own error."""

    def __init__(
        self,
        checked: Sequence[tuple[int, Array, int]],
        inputs: Sequence[Array],
        check: Callable[[int, Array, int], None] | None,
    ) -> None:
        self._checked, self._inputs, self._check = checked, inputs, check

    def __call__(self, which: int, *arrays: Array) -> None:
        number, source, extent = self._checked[which]
        assert self._check is not None
        self._check(number, _moved(source, self._inputs, arrays), extent)


def _placeholder(plan: Plan, operand: Operand) -> Array:
    """An array where an input will be; pages of its own, never written, take no memory."""
    dtype = np.dtype(np.int64 if operand.integer else plan.dtype)
    pages = mmap(-1, max(1, prod(operand.shape) * dtype.itemsize))
    return np.ndarray(operand.shape, dtype, pages)


def _owner(array: Array, inputs: Sequence[Array]) -> int | None:
    """The input in whose memory an array lies."""
    address = native.address(array)
    for number, item in enumerate(inputs):
        start = native.address(item)
        if start <= address < start + item.nbytes:
            return number
    return None


def _moved(array: Array, inputs: Sequence[Array], arrays: Sequence[Array]) -> Array:
    """The array as it lies in an input that is given in a placeholder's place."""
    owner = _owner(array, inputs)
    if owner is None:
        return array
    offset = native.address(array) - native.address(inputs[owner])
    return np.ndarray(array.shape, array.dtype, arrays[owner].data, offset, array.strides)
