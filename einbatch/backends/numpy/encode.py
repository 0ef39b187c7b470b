"""What a step does, as the words that `replay.c` reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from numpy.typing import NDArray

from einbatch.backends.numpy import native
from einbatch.backends.numpy.bands import Band, in_bands
from einbatch.backends.numpy.groups import Group, in_groups
from einbatch.backends.numpy.instructions import (
    Check,
    Instruction,
    Loop,
    Pointer,
    Product,
    packed,
    words_of_check,
    words_of_product,
)

# Any: an array is of floats or of integers.
Array: TypeAlias = NDArray[Any]


def encode(
    instructions: Sequence[Instruction],
    inputs: Sequence[Array],
    without: frozenset[str] = frozenset(),
) -> tuple[bytes, bytes]:
    """The words that `replay.c` reads, and which of them point into inputs.

    `without` names passes, see `backends.passes`, that are left out.
    """
    words: list[int] = []
    moved: list[int] = []
    together, shares = "group_loops" not in without, "use_threads" not in without
    if "loop_over_rows" in without:
        instructions = [replace(i, rows=0) if isinstance(i, Loop) else i for i in instructions]

    banded = shares and "share_bands" not in without and native.can_share_blas()
    items = in_bands(instructions) if banded else instructions
    for item in in_groups(items, together=together):
        words.extend(
            item.words(shares=shares) if isinstance(item, Group) else _words(item, together)
        )
    starts = [native.address(array) for array in inputs]
    for place, word in enumerate(words):
        if isinstance(word, Pointer):
            for number, (start, array) in enumerate(zip(starts, inputs, strict=True)):
                if start <= word < start + array.nbytes:
                    moved += (place, number, word - start)
    return packed(words), packed(moved)


def _words(item: Product | Check | Band, together: bool) -> list[int]:
    match item:
        case Product():
            return words_of_product(item)
        case Check():
            return words_of_check(item)
        case Band():
            return item.words(together=together)
