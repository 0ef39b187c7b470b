"""What a step does, as the words that `replay.c` reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from numpy.typing import NDArray

from einbatch.backends.numpy import native
from einbatch.backends.numpy.bands import Finder
from einbatch.backends.numpy.groups import group
from einbatch.backends.numpy.instructions import (
    Check,
    Instruction,
    Loop,
    Pointer,
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

    finder = Finder(instructions) if native.can_share_blas() else None
    place = 0
    while place < len(instructions):
        instruction = instructions[place]
        band = None if finder is None else finder.find(place)
        if band is not None:
            flush()
            words.extend(band.words())
            place += len(band.cuts)
            continue
        place += 1
        if isinstance(instruction, Loop):
            waiting.append(instruction)
            continue
        flush()
        words.extend(
            words_of_check(instruction)
            if isinstance(instruction, Check)
            else words_of_product(instruction)
        )
    flush()
    starts = [native.address(array) for array in inputs]
    for place, word in enumerate(words):
        if isinstance(word, Pointer):
            for number, (start, array) in enumerate(zip(starts, inputs, strict=True)):
                if start <= word < start + array.nbytes:
                    moved += (place, number, word - start)
    return packed(words), packed(moved)
