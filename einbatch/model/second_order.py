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


def curvature(program: Program, derived: Program) -> Curvature:
    """What gives H·v: the derivative of Σ T.grad·v to every param (Pearlmutter 1994).

    `derived` is the derived program. Each objective has a Hessian of its own, to the
    params that it is over.
    """
    taken = names_of(derived)
    params = [derived.tensor(name) for name in program.trained]
    directions = {param.name: _fresh(f"{param.name}_direction", taken) for param in params}
    tensors = [_direction(param, directions[param.name]) for param in params]
    steps: list[Statement] = []
    objectives: list[Objective] = []
    for objective in program.objectives:
        slope = _fresh("slope", taken)
        own = program.params_of(objective)
        tensors.append(Tensor(slope, "value", ()))
        steps += [_term(p, slope, directions[p.name], program) for p in params if p.name in own]
        if own:
            objectives.append(Objective("minimize", slope, own))
    whole = replace(
        derived,
        tensors=(*derived.tensors, *tensors),
        statements=(*derived.statements, *steps),
        objectives=tuple(objectives),
    )
    outputs = {param.name: param.name + derived.cotangent for param in params}
    return Curvature(differentiate(whole), directions, outputs)


def _direction(param: Tensor, name: str) -> Tensor:
    return Tensor(name, "input", param.extents, param.axes, span=param.span)


def _term(param: Tensor, slope: str, direction: str, program: Program) -> Statement:
    subscripts = tuple(map(IndexValue, param.axes))
    cotangent = Read(param.name + program.cotangent, subscripts)
    value = multiply(cotangent, Read(direction, subscripts))
    return Statement(slope, (), "+=", value, param.axes, param.span)


def _fresh(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "'"
    taken.add(name)
    return name
