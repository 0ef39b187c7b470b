"""A program meets its data: every input, param and state, and every extent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

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
T = TypeVar("T")


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
) -> Bound:
    """The arrays that a program needs, out of those given; what it does not need is left.

    An input that is not given comes from its literal, or by `load` from its source;
    a draw that is not given is drawn, as `moment` says.
    Raises EinbatchError with everything that is missing or unfit.
    """
    errors: list[Diagnostic] = []
    arrays: dict[str, Array] = {}
    literals: list[Tensor] = []

    def attempt(action: Callable[[], T]) -> T | None:
        try:
            return action()
        except EinbatchError as error:
            errors.extend(error.diagnostics)
            return None

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
        array = attempt(lambda tensor=tensor: array_of(tensor))
        if array is not None:
            arrays[tensor.name] = array
    refuse_large(program, _known_extents(program), dtype)
    if errors:
        raise EinbatchError(errors)
    extents = bind_extents(program, {name: array.shape for name, array in arrays.items()})
    refuse_large(program, extents, dtype)
    arrays = {**drawn(program, extents, dtype, moment), **arrays}
    initial = Initial(program, extents, 0, dtype)
    for tensor in literals:
        arrays[tensor.name] = initial.array(tensor)
    for tensor in program.of_kind("input"):
        attempt(lambda tensor=tensor: check_members(program, tensor, arrays[tensor.name], extents))
    if errors:
        raise EinbatchError(errors)
    return Bound(arrays, extents)
