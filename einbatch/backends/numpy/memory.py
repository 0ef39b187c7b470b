"""Memory for arrays that steps read and write over and over."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

LINE = 64
"""Bytes of a line of a cache, and of the longest vectors of numbers."""
LARGE = 2**22
"""From so many bytes on products copy what they read, wherever it begins."""


def new_array(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """An array of any values; a small one begins with a line of the cache.

    A vector of numbers would lie across two lines else, and take twice as long to read:
    NumPy's arrays begin at any multiple of 16.
    """
    size = prod(shape) * dtype.itemsize
    if size >= LARGE:
        return np.empty(shape, dtype)
    memory = np.empty(size + LINE, np.uint8)
    start = -memory.__array_interface__["data"][0] % LINE
    return memory[start : start + size].view(dtype).reshape(shape)


def settled(array: NDArray[Any]) -> NDArray[Any]:
    """An array that is ours, itself or a copy of it that begins with a line of the cache."""
    if array.nbytes >= LARGE or array.__array_interface__["data"][0] % LINE == 0:
        return array
    copy = new_array(array.shape, array.dtype)
    np.copyto(copy, array)
    return copy
