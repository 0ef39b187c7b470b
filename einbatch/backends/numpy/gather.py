"""Examples of an array by their numbers, taken by several threads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from einbatch.backends.numpy import native
from einbatch.backends.numpy.encode import encode
from einbatch.backends.numpy.memory import new_array
from einbatch.backends.numpy.record import Recorder

# Any: an array is of numbers of any kind.
Array: TypeAlias = NDArray[Any]
Order: TypeAlias = NDArray[np.int64]


class Gather:
    """Takes so many examples, which lie along an axis of an array, always to the same memory."""

    def __init__(self, array: Array, count: int, axis: int) -> None:
        self._array, self._axis = array, axis
        shape = (*array.shape[:axis], count, *array.shape[axis + 1 :])
        self._out = new_array(shape, array.dtype)
        plain = array.flags.c_contiguous and array.flags.aligned and array.dtype.isnative
        can_replay = plain and self._out.size > 0 and native.is_available()
        self._replayed = self._record(count) if can_replay else None

    def __call__(self, order: Order) -> Array:
        """The examples of these numbers, each of which is one of the array's; C-contiguous."""
        if self._replayed is None:
            # clip: without it NumPy writes to a copy first
            return np.take(self._array, order, axis=self._axis, out=self._out, mode="clip")
        self._replayed(self._array, np.ascontiguousarray(order, np.int64))
        return self._out

    def _record(self, count: int) -> Callable[..., object]:
        recorder = Recorder()
        order = np.zeros(count, np.int64)
        recorder.take(self._array, order, self._axis, self._out, "clip")
        given = [self._array, order]
        code, moved = encode(recorder.instructions, given)
        sizes = tuple(array.nbytes for array in given)
        return native.replay(code, moved, sizes, (), _never_fails, recorder.kept)


def _never_fails(*_: object) -> None:
    """There are no checks in a gather."""
