"""A program meets its data: every input, param and state, and every extent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from numpy.typing import ArrayLike

from einbatch.data import Stored
from einbatch.diagnostics import Diagnostic, EinbatchError
from einbatch.elaborate import bind_extents
from einbatch.ir import Number, Program, Tensor
from einbatch.ir.program import Dtype
from einbatch.model.arrays import Array, check_members, convert, missing
from einbatch.model.draws import EVALUATION, Moment, drawn
from einbatch.model.initial import Initial
from einbatch.plan import check_tensors

Load = Callable[[Tensor], Array | Stored]
Shapes = tuple[tuple[str, tuple[int, ...]], ...]


class Known:
    """The extents that one program was found to have, by the shapes that it was bound to."""

    MOST = 64
    """So many shapes are kept; then it begins afresh."""

    def __init__(self) -> None:
        self._extents: dict[Shapes, dict[str, int]] = {}

    def find(self, shapes: Shapes) -> dict[str, int] | None:
        """The extents for shapes that were there before."""
        return self._extents.get(shapes)

    def keep(self, shapes: Shapes, extents: dict[str, int]) -> None:
        """Remembers checked extents."""
        if len(self._extents) >= self.MOST:
            self._extents.clear()
        self._extents[shapes] = extents


def refuse_large_params(part: Program, extents: Mapping[str, int], dtype: Dtype) -> None:
    """E0701 for params and states beyond the allowance; inputs may be in a file."""
    kept = tuple(tensor for tensor in part.tensors if tensor.kind != "input")
    refuse_large(replace(part, tensors=kept), extents, dtype)


def refuse_large(program: Program, extents: Mapping[str, int], dtype: Dtype) -> None:
    """E0701 for tensors beyond the memory allowance, before anything is allocated."""
    findings = check_tensors(program, extents, dtype)
    if findings:
        raise EinbatchError(findings)


def _known_extents(program: Program) -> dict[str, int]:
    """The extents that the program itself fixes."""
    return {
        index.name: int(index.extent.value)
        for index in program.indices
        if isinstance(index.extent, Number)
    }


@dataclass(frozen=True, slots=True)
class Bound:
    """Converted arrays by name, and the integer of every index and named extent."""

    arrays: dict[str, Array]
    extents: dict[str, int]


def bind(
    program: Program,
    given: Mapping[str, ArrayLike],
    dtype: Dtype,
    load: Load | None = None,
    moment: Moment = EVALUATION,
    known: Known | None = None,
) -> Bound:
    """The arrays that a program needs, out of those given; what it does not need is left.

    An input that is not given comes from its literal, or by `load` from its source;
    a draw that is not given is drawn, as `moment` says. For shapes that `known` has of
    this program, the extents are not worked out again.
    Raises EinbatchError with everything that is missing or unfit.
    """
    errors: list[Diagnostic] = []
    arrays: dict[str, Array] = {}
    literals: list[Tensor] = []

    def array_of(tensor: Tensor) -> Array:
        if tensor.name in given:
            return convert(tensor, given[tensor.name], dtype)
        if tensor.source is None or load is None:
            raise missing(tensor)
        return convert(tensor, load(tensor), dtype)

    for tensor in program.tensors:
        if tensor.kind == "value" or (tensor.kind == "draw" and tensor.name not in given):
            continue
        if tensor.kind == "input" and tensor.initial is not None and tensor.name not in given:
            literals.append(tensor)
            continue
        try:
            arrays[tensor.name] = array_of(tensor)
        except EinbatchError as error:
            errors.extend(error.diagnostics)
    shapes = tuple([(name, array.shape) for name, array in arrays.items()])
    extents = None if known is None or errors else known.find(shapes)
    if extents is None:
        refuse_large(program, _known_extents(program), dtype)
        if errors:
            raise EinbatchError(errors)
        extents = bind_extents(program, dict(shapes))
        refuse_large(program, extents, dtype)
        if known is not None:
            known.keep(shapes, extents)
    arrays = {**drawn(program, extents, dtype, moment), **arrays}
    initial = Initial(program, extents, 0, dtype)
    for tensor in literals:
        arrays[tensor.name] = initial.array(tensor)
    for tensor in program.of_kind("input"):
        try:
            check_members(program, tensor, arrays[tensor.name], extents)
        except EinbatchError as error:
            errors.extend(error.diagnostics)
    if errors:
        raise EinbatchError(errors)
    return Bound(arrays, extents)
