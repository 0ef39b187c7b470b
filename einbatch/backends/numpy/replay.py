"""A step of an emitted module made native: recorded once, replayed by `replay.c`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def replayed(namespace: dict[str, object], plan: Plan, owned: Sequence[Array]) -> Step:
    """The step of an executed module, bound to the arrays that it owns.

    What a line of the step would do is noted by a stand-in for NumPy, see `record.py`.
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
    code, moved = encode(recorder.instructions, inputs)
    check = cast("Callable[[int, Array, int], None] | None", own.get("check"))
    failed = _Failed(recorder.checked, inputs, check)
    sizes = tuple(array.nbytes for array in inputs)
    kept = (step, recorder.kept, owned)
    run = native.replay(code, moved, sizes, outputs, failed, kept)
    if not any(_owner(output, inputs) is not None for output in outputs):
        return run

    def step_with_inputs(*arrays: Array) -> tuple[Array, ...]:
        return tuple(_moved(output, inputs, arrays) for output in run(*arrays))

    return step_with_inputs


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
    """An array where an input will be; never written, so it takes no memory."""
    return np.empty(operand.shape, np.int64 if operand.integer else plan.dtype)


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
