"""Arrays from the caller: checked, converted, never changed."""

from __future__ import annotations

from collections.abc import Mapping
from sys import getrefcount
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from einbatch.data import Stored
from einbatch.diagnostics import EinbatchError, fail
from einbatch.ir import Program, Tensor
from einbatch.ir.program import Dtype

# Any: the dtype is the caller's, until it is checked.
Array: TypeAlias = NDArray[Any]
Part: TypeAlias = tuple[int, NDArray[np.intp]]
"""What of an array is at hand: an axis, and which numbers along it."""

PLAIN: Final = ("C_CONTIGUOUS", "ALIGNED")
INTEGERS = np.dtype(np.int64)
FLOATS: dict[Dtype, np.dtype[Any]] = {"float32": np.dtype("f4"), "float64": np.dtype("f8")}
KINDS = {
    "c": "complex numbers",
    "U": "text",
    "S": "text",
    "O": "Python objects",
    "M": "dates",
    "m": "time differences",
    "V": "records",
}


def missing(tensor: Tensor) -> EinbatchError:
    """The error for an input or a param without an array."""
    if tensor.kind == "input":
        give = f"give it: `--data {tensor.name}=FILE`, or `{_keyword(tensor.name)}` from Python"
    else:
        load = "`--load FILE.safetensors`, or " if tensor.kind == "param" else ""
        give = f"{load}give it beside the others; `init(seed)` makes all {tensor.kind}s"
    return fail(
        "E0613",
        f"{tensor.kind} `{tensor.name}` is not bound",
        (tensor.span, "declared here"),
        help=give,
    )


def _keyword(name: str) -> str:
    return f"{name}=…" if name.isidentifier() else f'data={{"{name}": …}}'


def convert(tensor: Tensor, value: ArrayLike, dtype: Dtype, part: Part | None = None) -> Array:
    """An array of the tensor's dtype, C-contiguous and aligned; the caller's own where it fits.

    Integers become int64, everything else `dtype`. `part` says which elements of the
    tensor these are, if not all. E0616 where the elements are no numbers, E0617 where an
    integer is needed and an element is none.
    """
    fits = INTEGERS if tensor.integer else FLOATS[dtype]
    if type(value) is np.ndarray and value.dtype is fits and is_plain(value):
        return value
    array = as_numbers(tensor, value)
    if not tensor.integer:
        with np.errstate(all="ignore"):
            return np.require(array, dtype, PLAIN)
    if array.dtype.kind == "f":
        _check_integral(tensor, array, part)
    if array.dtype == np.uint64:
        array = np.minimum(array, np.uint64(2**63 - 1))
    return np.require(array, np.int64, PLAIN)


def is_plain(array: Array) -> bool:
    """True for the memory that a backend takes: C-contiguous, each element where its type wants it.

    `np.frombuffer` behind a header of an odd length gives another.
    """
    return array.flags.c_contiguous and array.flags.aligned


def own(tensor: Tensor, given: Mapping[str, ArrayLike], dtype: Dtype) -> Array:
    """What is given for a tensor, as an array to write to: a copy, unless nobody else has it.

    `given` is a mapping of the caller's own making. Half of what a large model needs to
    start is its parameters' copies; those that came from a file, or straight from `init`,
    are nobody else's.
    """
    # Two references are the mapping's and getrefcount's own; a view of it is one more.
    is_array = type(given[tensor.name]) is np.ndarray
    is_alone = is_array and getrefcount(given[tensor.name]) == 2
    array = convert(tensor, given[tensor.name], dtype)
    is_whole = array.base is None and array.flags.owndata and array.flags.writeable
    return array if is_alone and is_whole else array.copy()


def shape_of(tensor: Tensor, value: ArrayLike) -> tuple[int, ...]:
    """The shape of what is bound to a tensor; nothing is read where it stays in a file."""
    return value.shape if isinstance(value, Stored) else as_numbers(tensor, value).shape


def as_numbers(tensor: Tensor, value: ArrayLike) -> Array:
    """An array-like as an array of integers, floats or truth values; E0616 if it is none."""
    try:
        array: Array = np.asarray(value)
    except EinbatchError:  # a file that is too large, or damaged
        raise
    except Exception as error:  # whatever a foreign `__array__` raises
        reason = str(error).split("\n")[0].split(". ")[0]
        raise _no_numbers(tensor, f"no array: {reason}") from None
    if array.dtype.kind in KINDS or array.dtype.kind not in "biuf":
        raise _no_numbers(tensor, KINDS.get(array.dtype.kind, f"values of type {array.dtype}"))
    return array


def _no_numbers(tensor: Tensor, what: str) -> EinbatchError:
    return fail(
        "E0616",
        f"`{tensor.name}` is bound to {what}",
        (tensor.span, "declared here"),
        help="bind an array of integers, floats or truth values, the same length in every row",
    )


def _check_integral(tensor: Tensor, array: Array, part: Part | None) -> None:
    with np.errstate(all="ignore"):  # 2^63 is infinite as a float16
        wrong = ~(np.isfinite(array) & (np.floor(array) == array) & (np.abs(array) < 2.0**63))
    if wrong.any():
        place = _first(wrong)
        raise fail(
            "E0617",
            f"`{_element(tensor, place, part)}` is {array[place]}, and an integer is needed",
            (tensor.span, f"declared `in {tensor.member}` here" if tensor.member else "used here"),
            help="round the values to integers first",
        )


def check_members(
    program: Program,
    tensor: Tensor,
    array: Array,
    extents: Mapping[str, int],
    part: Part | None = None,
) -> None:
    """E0618 where an element of `input t[b] in ŷ` is not in 0 … |ŷ|−1."""
    if tensor.member is None:
        return
    extent = extents[tensor.member]
    if array.size == 0 or (int(array.min()) >= 0 and int(array.max()) < extent):
        return
    wrong = (array < 0) | (array >= extent)
    place = _first(wrong)
    index = program.index(tensor.member)
    raise fail(
        "E0618",
        f"`{_element(tensor, place, part)}` is {array[place]}, outside 0 … {extent - 1}",
        (tensor.span, f"declared `in {tensor.member}` here"),
        *([(index.span, f"`{index.name}` has the extent {extent}")] if index.declared else []),
        help=f"{_count(int(wrong.sum()))} outside; number the classes from 0",
    )


def _count(number: int) -> str:
    return "1 element is" if number == 1 else f"{number} elements are"


def _first(wrong: Array) -> tuple[int, ...]:
    return tuple(int(k) for k in np.unravel_index(int(np.argmax(wrong)), wrong.shape))


def _element(tensor: Tensor, place: tuple[int, ...], part: Part | None) -> str:
    """How an element of the whole array is written, where `place` is that in a part of it."""
    if part is not None:
        axis, numbers = part
        place = (*place[:axis], int(numbers[place[axis]]), *place[axis + 1 :])
    return tensor.name + (f"[{','.join(map(str, place))}]" if place else "")
