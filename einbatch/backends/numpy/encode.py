"""What a step does, as the words that `replay.c` reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from einbatch.backends.numpy import native
from einbatch.backends.numpy.bands import Band, in_bands
from einbatch.backends.numpy.groups import group
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


def encode(instructions: Sequence[Instruction], inputs: Sequence[Array]) -> tuple[bytes, bytes]:
    """The words that `replay.c` reads, and which of them point into inputs."""
    words: list[int] = []
    waiting: list[Loop] = []
    moved: list[int] = []

    def flush() -> None:
        for each in group(waiting):
            words.extend(each.words())
        waiting.clear()

    for item in in_bands(instructions) if native.can_share_blas() else instructions:
        if isinstance(item, Loop):
            waiting.append(item)
            continue
        flush()
        words.extend(_words(item))
    flush()
    starts = [native.address(array) for array in inputs]
    for place, word in enumerate(words):
        if isinstance(word, Pointer):
            for number, (start, array) in enumerate(zip(starts, inputs, strict=True)):
                if start <= word < start + array.nbytes:
                    moved += (place, number, word - start)
    return packed(words), packed(moved)


def _words(item: Product | Check | Band) -> list[int]:
    match item:
        case Product():
            return words_of_product(item)
        case Check():
            return words_of_check(item)
        case Band():
            return item.words()
