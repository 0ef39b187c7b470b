"""Second order: the derived program, differentiated again along a direction."""

from __future__ import annotations

from dataclasses import dataclass, replace

from einbatch.autodiff import differentiate
from einbatch.ir import IndexValue, Objective, Program, Read, Statement, Tensor
from einbatch.ir.build import multiply, names_of


@dataclass(frozen=True, slots=True)
class Curvature:
    """A program whose `outputs` are the Hessian's product with the arrays of `directions`.

    Both go by the params' names.
    """

    program: Program
    directions: dict[str, str]
    outputs: dict[str, str]


def curvature(derived: Program) -> Curvature:
    """What gives H·v: the derivative of Σ T.grad·v to every param (Pearlmutter 1994)."""
    taken = names_of(derived)
    params = derived.of_kind("param")
    directions = {param.name: _fresh(f"{param.name}_direction", taken) for param in params}
    slope = _fresh("slope", taken)
    suffix = derived.cotangent
    before = _previous(suffix)
    tensors = [_direction(param, directions[param.name]) for param in params]
    steps = [_term(param, slope, directions[param.name], param.name + before) for param in params]
    program = replace(
        derived,
        tensors=(*derived.tensors, *tensors, Tensor(slope, "value", ())),
        statements=(*derived.statements, *steps),
        objective=Objective("minimize", slope),
    )
    outputs = {param.name: param.name + suffix for param in params}
    return Curvature(differentiate(program), directions, outputs)


def _previous(suffix: str) -> str:
    """The suffix of a derived program's cotangents: `.grad` where the next one is `.grad2`."""
    level = int(suffix.removeprefix(".grad")) - 1
    return ".grad" if level == 1 else f".grad{level}"


def _direction(param: Tensor, name: str) -> Tensor:
    return Tensor(name, "input", param.extents, param.axes, span=param.span)


def _term(param: Tensor, slope: str, direction: str, cotangent: str) -> Statement:
    subscripts = tuple(map(IndexValue, param.axes))
    value = multiply(Read(cotangent, subscripts), Read(direction, subscripts))
    return Statement(slope, (), "+=", value, param.axes, param.span)


def _fresh(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    taken.add(name)
    return name
