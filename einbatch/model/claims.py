"""Cotangents written by hand (`W.grad[j,i] += …` after `minimize`), against the derived ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from einbatch.autodiff import differentiate, split_objectives
from einbatch.diagnostics import diagnostic
from einbatch.ir import Expression, Program, Statement, Step, Tensor, statements_of, written
from einbatch.loops import run
from einbatch.model.arrays import Array
from einbatch.model.checking import Finding, find_example
from einbatch.model.front import Front

TOLERANCE = 1e-8


def check_claims(front: Front, seed: int = 0) -> list[Finding]:
    """Each hand-written cotangent against the derived one, in the order of the file.

    The right side of a statement is evaluated with the derived cotangents upstream:
    an error is found where it is made.
    """
    parts = split_objectives(_at_their_objective(front.program))
    return [finding for part in parts for finding in _checked(part, seed)]


def _at_their_objective(program: Program) -> Program:
    """The updates in the order of objectives: a param's claims stand after the one over it."""
    suffix = program.cotangent
    sections: list[list[Step]] = [[] for _ in program.objectives]
    owners = {
        name + suffix: number
        for number, objective in enumerate(program.objectives)
        for name in objective.over or ()
    }
    for number, steps in enumerate(program.sections):
        for step in steps:
            (target, *_) = written([step])
            sections[owners.get(target, number)].append(step)
    starts = [sum(map(len, sections[:number])) for number in range(len(sections))]
    objectives = zip(program.objectives, starts, strict=True)
    return replace(
        program,
        updates=tuple(step for steps in sections for step in steps),
        objectives=tuple(replace(objective, after=start) for objective, start in objectives),
    )


def _checked(program: Program, seed: int) -> list[Finding]:
    """What `check_claims` finds of one objective."""
    suffix = program.cotangent
    claims = [s for s in statements_of(program.updates) if s.target.endswith(suffix)]
    if not claims:
        return []
    derived = differentiate(program, keep=True)
    example = find_example(program, seed)
    compared = _Comparison(program, derived, claims)
    both = compared.program()
    values = run(both, example.arrays, example.extents_of(both))
    return [compared.finding(name, values, example.extents) for name in compared.names]


class _Comparison:
    """The derived program with the claims beside it, each under a name of its own."""

    def __init__(self, program: Program, derived: Program, claims: list[Statement]) -> None:
        self.source = program
        self.derived = derived
        self.claims = claims
        self.names = tuple(dict.fromkeys(claim.target for claim in claims))

    def program(self) -> Program:
        """Statements: the derived ones, each claim's total, and each contribution alone."""
        temporaries = [
            step
            for step in statements_of(self.source.updates)
            if not step.target.endswith(self.source.cotangent)
            and self.source.tensor(step.target).kind == "value"
        ]
        added: list[Statement] = []
        for number, claim in enumerate(self.claims):
            added.append(replace(claim, target=_total(claim.target)))
            added.append(_alone(claim, _part("claim", number)))
        for number, statement in self.contributions():
            added.append(_alone(statement, _part("derived", number)))
        known = {tensor.name for tensor in self.derived.tensors}
        tensors = {
            statement.target: Tensor(statement.target, "value", self.extents(origin))
            for statement, origin in zip(added, self.origins(), strict=True)
        }
        fresh = tuple(tensor for name, tensor in tensors.items() if name not in known)
        steps = (*self.derived.statements, *temporaries, *added)
        tensors_of = (*self.derived.tensors, *fresh)
        return replace(self.derived, tensors=tensors_of, statements=steps, updates=(), reports=())

    def origins(self) -> list[str]:
        """The cotangent that each added statement is about."""
        doubled = [claim.target for claim in self.claims for _ in range(2)]
        return [*doubled, *(statement.target for _, statement in self.contributions())]

    def extents(self, cotangent: str) -> tuple[Expression, ...]:
        return self.derived.tensor(cotangent).extents

    def contributions(self) -> list[tuple[int, Statement]]:
        """The derived statements that write a claimed cotangent."""
        found = enumerate(statements_of(self.derived.statements))
        return [(number, s) for number, s in found if s.target in self.names]

    def finding(
        self, name: str, values: Mapping[str, Array], extents: Mapping[str, int]
    ) -> Finding:
        claimed, right = values[_total(name)], values[name]
        wrong = ~np.isclose(claimed, right, rtol=TOLERANCE, atol=TOLERANCE)
        if not wrong.any():
            return Finding(name, self.source.objectives[0].tensor, None)
        worst = np.where(wrong, np.abs(claimed - right), -1)
        place = tuple(int(k) for k in np.unravel_index(int(np.argmax(worst)), worst.shape))
        labels = [(claim.span, note) for claim, note in self.suspects(name, values)]
        element = name + (f"[{','.join(map(str, place))}]" if place else "")
        item = diagnostic(
            "E0809",
            f"`{element}` comes to {claimed[place]:.6g}, and the derivative is {right[place]:.6g}; "
            f"{int(wrong.sum())} of {wrong.size} elements differ, "
            f"by {float(worst.max()):.3g} at the most",
            *labels,
            help=_hint(claimed, right, self.batch(extents)),
        )
        return Finding(name, self.source.objectives[0].tensor, item)

    def batch(self, extents: Mapping[str, int]) -> int:
        return extents[self.source.batch] if self.source.batch else 1

    def suspects(self, name: str, values: Mapping[str, Array]) -> list[tuple[Statement, str]]:
        """The statements whose contribution is none of the derived ones; all, if none is alone."""
        own = [(k, claim) for k, claim in enumerate(self.claims) if claim.target == name]
        left = [values[_part("derived", k)] for k, s in self.contributions() if s.target == name]
        odd: list[Statement] = []
        for number, claim in own:
            value = values[_part("claim", number)]
            match = [k for k, other in enumerate(left) if np.allclose(value, other, rtol=1e-8)]
            if match:
                left.pop(match[0])
            else:
                odd.append(claim)
        if len(odd) == 1:
            return [(odd[0], "this statement is wrong")]
        return [(claim, "written here") for claim in odd or [claim for _, claim in own]]


def _total(name: str) -> str:
    return f"{name} claimed"


def _part(kind: str, number: int) -> str:
    return f"{kind} {number}"


def _alone(statement: Statement, name: str) -> Statement:
    return replace(statement, target=name)


def _hint(claimed: Array, right: Array, batch: int) -> str:
    for factor, text in (
        (batch, f"divide by the batch extent: it is {batch} times too large"),
        (1 / batch, f"no division by the batch extent belongs here: it is {batch} times too small"),
        (-1, "the sign is the other one"),
    ):
        if factor != 1 and np.allclose(claimed, factor * right, rtol=1e-8):
            return text
    return "`einbatch grad` prints the derived statements"
