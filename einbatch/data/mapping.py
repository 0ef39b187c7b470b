"""Names and axes of another's parameters: `W0[j,i]=fc1.weight[j,i]`, a line for each tensor.

W0=fc1.weight                   the same array under another name
W0[j,i]=fc1.weight[i,j]         its transpose: an index stands for the same axis on both sides
b0=-fc1.bias                    with the other sign
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from einbatch.data.datafile import shown
from einbatch.diagnostics import EinbatchError, fail
from einbatch.syntax.spelling import key_of

# Any: a parameter may be of any kind of number.
Array: TypeAlias = NDArray[Any]
Lines = Mapping[str, str] | Iterable[str]

LINE = re.compile(
    r"\s*(?P<ours>[^\[\]=]+?)\s*(?:\[(?P<axes>[^\[\]=]*)\])?\s*="
    r"\s*(?P<sign>[-−]?)\s*(?P<theirs>[^\[\]=]+?)\s*(?:\[(?P<sources>[^\[\]=]*)\])?\s*"
)
HELP = "write `W0=fc1.weight`, or with an index for each axis `W0[j,i]=fc1.weight[i,j]`"


@dataclass(frozen=True, slots=True)
class Line:
    """`ours` is `theirs`, with the axes in the order `order`, and the other sign if `negated`.

    Where `order` is None, the axes are the same.
    """

    text: str
    ours: str
    theirs: str
    order: tuple[int, ...] | None
    negated: bool

    def inward(self, array: Array) -> Array:
        """Theirs as ours."""
        return self._moved(array, self.order, self.theirs)

    def outward(self, array: Array) -> Array:
        """Ours as theirs."""
        order = None if self.order is None else tuple(np.argsort(self.order).tolist())
        return self._moved(array, order, self.ours)

    def _moved(self, array: Array, order: tuple[int, ...] | None, name: str) -> Array:
        if order is not None and array.ndim != len(order):
            raise _unfit(self.text, f"{shown(name)} has {array.ndim} axes")
        if self.negated and array.dtype.kind not in "if":
            raise _unfit(self.text, f"{shown(name)} holds {array.dtype}, which has no sign")
        moved = array if order is None else np.transpose(array, order)
        # a copy in C order: what comes out is the caller's own
        return np.ascontiguousarray(-moved if self.negated else moved).reshape(moved.shape)


def read_mapping(given: Lines | None) -> tuple[Line, ...]:
    """The lines of a mapping, texts or pairs of two sides; E0641 where one makes no sense."""
    if given is None:
        return ()
    texts = _texts(given)
    lines = tuple(map(_line, texts))
    _check_distinct(lines, [line.ours for line in lines])
    return lines


def bring_in(arrays: Mapping[str, Array], lines: tuple[Line, ...], where: str) -> dict[str, Array]:
    """Theirs under our names; what no line mentions keeps its own. E0611 where one is missing."""
    mapped = {line.theirs for line in lines}
    found = {name: array for name, array in arrays.items() if name not in mapped}
    for line in lines:
        if line.theirs not in arrays:
            raise _missing(where, line.theirs, list(arrays))
        found[line.ours] = line.inward(arrays[line.theirs])
    return found


def take_out(arrays: Mapping[str, Array], lines: tuple[Line, ...]) -> dict[str, Array]:
    """Ours under their names; what no line mentions keeps its own. E0611 where one is missing."""
    _check_distinct(lines, [line.theirs for line in lines])
    ours = {key_of(name): array for name, array in arrays.items()}
    mapped = {line.ours for line in lines}
    found = {name: array for name, array in arrays.items() if key_of(name) not in mapped}
    for line in lines:
        if line.ours not in ours:
            raise _missing("what is to be saved", line.ours, list(ours))
        found[line.theirs] = line.outward(ours[line.ours])
    return found


def check_outward(given: Lines, ranks: Mapping[str, int]) -> None:
    """The errors that `take_out` would have for tensors of so many axes: before long work."""
    take_out({name: np.zeros((1,) * rank) for name, rank in ranks.items()}, read_mapping(given))


def _check_distinct(lines: tuple[Line, ...], names: list[str]) -> None:
    for position, name in enumerate(names):
        if name in names[:position]:
            raise _unfit(lines[position].text, f"{shown(name)} is mapped twice")


def _texts(given: Lines) -> list[str]:
    try:
        if isinstance(given, str):
            return [given]
        if isinstance(given, Mapping):
            pairs = cast("Mapping[str, str]", given).items()
            return [f"{ours}={theirs}" for ours, theirs in pairs]
        texts = list(given)
    except TypeError:
        texts = [cast(str, given)]
    for text in texts:
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - callers are not typed
            raise _unfit(str(text)[:80], f"it is no text, but of the type {type(text).__name__}")
    return texts


def _line(text: str) -> Line:
    found = LINE.fullmatch(text)
    if found is None:
        raise _unfit(text, "it is not of the form OURS=THEIRS")
    ours, theirs, negated = key_of(found["ours"]), found["theirs"], bool(found["sign"])
    if found["axes"] is None and found["sources"] is None:
        return Line(text, ours, theirs, None, negated)
    if found["axes"] is None or found["sources"] is None:
        raise _unfit(text, "one side has indices, the other has none")
    axes, sources = _indices(found["axes"]), _indices(found["sources"])
    if sorted(axes) != sorted(sources) or len(set(axes)) != len(axes) or "" in axes:
        raise _unfit(text, "both sides have the same indices, each once")
    return Line(text, ours, theirs, tuple(map(sources.index, axes)), negated)


def _indices(text: str) -> list[str]:
    return [key_of(part.strip()) for part in text.split(",")]


def _unfit(text: str, reason: str) -> EinbatchError:
    return fail("E0641", f"the mapping {shown(text)} cannot be followed: {reason}", help=HELP)


def _missing(where: str, name: str, known: list[str]) -> EinbatchError:
    near = get_close_matches(name, known, 1)
    listed = ", ".join(shown(item, 40) for item in known[:12]) or "none"
    more = f" and {len(known) - 12} more" if len(known) > 12 else ""
    return fail(
        "E0611",
        f"{where} has no tensor {shown(name, 40)}; it has {listed}{more}",
        help=f"did you mean {shown(near[0], 40)}?" if near else "map one of them",
    )
