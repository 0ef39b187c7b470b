"""An opened data file, and what an array in it must be: numeric, whole, within the allowance."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from einbatch.diagnostics import EinbatchError, fail

# Any: the dtype is known only when a file has been read.
Array: TypeAlias = NDArray[Any]
Order: TypeAlias = NDArray[np.intp]

DTYPES = frozenset(("b1", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8"))
"""What can be read and written: kind and bytes, without the byte order."""

KINDS = {
    "O": "Python objects",
    "c": "complex numbers",
    "U": "text",
    "S": "text",
    "a": "text",
    "M": "dates",
    "m": "time differences",
    "V": "records",
}

RAISE_ALLOWANCE = (
    "allow more with EINBATCH_MEMORY, for example EINBATCH_MEMORY=8GiB, "
    "or cut the data to the part that is needed"
)


@dataclass(frozen=True, slots=True)
class DataFile:
    """A file that is open for reading, the name it has in messages, and the most bytes of it.

    Arrays of more than `keep_from` bytes stay in the file where the format allows
    it. With `texts`, columns of text are read, as `Labels`.
    """

    stream: BinaryIO
    name: str
    size: int
    limit: int
    keep_from: int = sys.maxsize
    texts: bool = False


class Stored(ABC):
    """An array that stays in a file: a part of it is read when it is asked for.

    `np.asarray` reads all of it, within the memory allowance (else E0710).
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    @abstractmethod
    def take(self, order: Order, axis: int, /) -> Array:
        """The parts of these numbers along an axis, as an array of the caller's own."""

    @abstractmethod
    def __array__(self, dtype: Any = None, copy: bool | None = None, /) -> Array: ...


@dataclass(frozen=True, slots=True)
class Labels:
    """A column of text: `codes[n]` is the number of row n's text in `names`, which is sorted."""

    codes: NDArray[np.int64]
    names: tuple[str, ...]


class Reader(Protocol):
    """What the module of a format offers."""

    COLUMNS: bool
    """True where the arrays are columns of one table, which `a,b,c` puts side by side."""

    def names(self, file: DataFile, /) -> tuple[str, ...]:
        """The arrays in the file; `("",)` where a format holds one array without a name."""
        ...

    def read(
        self, file: DataFile, names: Sequence[str], /
    ) -> dict[str, Array] | dict[str, Array | Stored] | dict[str, Array | Stored | Labels]:
        """The arrays of these names, each of which `names` has listed."""
        ...


def shown(text: str, longest: int = 100) -> str:
    """A user's text for a message: in backticks, on one line, not too long."""
    plain = "".join(c if c.isprintable() else "�" for c in text)
    return f"`{plain}`" if len(plain) <= longest else f"`{plain[:longest]}…`"


def damaged(where: str, reason: str) -> EinbatchError:
    """The error for a file that is not what its name says."""
    return fail(
        "E0607",
        f"{where} is damaged: {reason}",
        help="write the file again, or fetch it again if it was copied from elsewhere",
    )


def resolve_dtype(descr: str, where: str) -> np.dtype[Any]:
    """The dtype of a header's `<f8`; E0606 where it is not of numbers or truth values."""
    plain = descr.lstrip("<>|=")
    if plain in DTYPES and len(descr) - len(plain) <= 1:
        return np.dtype(descr)
    raise no_numbers(where, KINDS.get(plain[:1], f"values of type {shown(descr)}"))


def no_numbers(where: str, kind: str) -> EinbatchError:
    """The error for what a tensor cannot hold."""
    return fail(
        "E0606",
        f"{where} holds {kind}; only integers, floats and truth values can be read",
        help="save it as numbers, for example with `array.astype(numpy.float64)`",
    )


def no_labels(where: str) -> EinbatchError:
    """The error for a column of text, where an input's elements are just numbers."""
    return fail(
        "E0606",
        f"{where} holds text; only integers, floats and truth values can be read",
        help="texts become classes where the input is declared `in` an index",
    )


def check_size(shape: Sequence[int], itemsize: int, where: str, limit: int) -> int:
    """The bytes that an array takes; E0710 where they are more than `limit`."""
    size = math.prod(shape) * itemsize
    if size > limit:
        axes = ",".join(map(str, shape))
        raise fail(
            "E0710",
            f"{where} has the shape [{axes}], which takes {size:,} bytes;"
            f" the memory allowance leaves {max(limit, 0):,}",
            help=RAISE_ALLOWANCE,
        )
    return size
