"""Cotangents written by hand (`W.grad[j,i] += …` after `minimize`), against the derived ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from einbatch.autodiff import differentiate, split_objectives
from einbatch.diagnostics import diagnostic
from einbatch.ir import (
    Program,
    Scan,
    Statement,
    Step,
    Tensor,
    map_statements,
    statements_of,
    written,
)
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
    claims = [s for s in _alone(program.updates) if _target(s).endswith(suffix)]
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

    def __init__(self, program: Program, derived: Program, claims: list[Step]) -> None:
        self.source = program
        self.derived = derived
        self.claims = claims
        self.names = tuple(dict.fromkeys(map(_target, claims)))

    def program(self) -> Program:
        """Statements: the derived ones, each claim's total, and each contribution alone."""
        added: list[tuple[Step, str]] = []
        for number, claim in enumerate(self.claims):
            added.append((claim, _total(_target(claim))))
            added.append((claim, _part("claim", number)))
        for number, step in self.contributions():
            added.append((step, _part("derived", number)))
        known = {tensor.name for tensor in self.derived.tensors}
        tensors = {
            name: Tensor(name, "value", self.derived.tensor(_target(step)).extents)
            for step, name in added
        }
        fresh = tuple(tensor for name, tensor in tensors.items() if name not in known)
        renamed = tuple(_renamed(step, name) for step, name in added)
        temporaries = _only(self.source.updates, self.is_temporary)
        steps = (*self.derived.statements, *temporaries, *renamed)
        tensors_of = (*self.derived.tensors, *fresh)
        return replace(self.derived, tensors=tensors_of, statements=steps, updates=(), reports=())

    def is_temporary(self, statement: Statement) -> bool:
        """True for an update statement that claims nothing and updates nothing."""
        name = statement.target
        is_claim = name.endswith(self.source.cotangent)
        return not is_claim and self.source.tensor(name).kind == "value"

    def contributions(self) -> list[tuple[int, Step]]:
        """The derived statements that write a claimed cotangent."""
        found = enumerate(_alone(self.derived.statements))
        return [(number, step) for number, step in found if _target(step) in self.names]

    def finding(
        self, name: str, values: Mapping[str, Array], extents: Mapping[str, int]
    ) -> Finding:
        claimed, right = values[_total(name)], values[name]
        wrong = ~np.isclose(claimed, right, rtol=TOLERANCE, atol=TOLERANCE)
        if not wrong.any():
            return Finding(name, self.source.objectives[0].tensor, None)
        worst = np.where(wrong, np.abs(claimed - right), -1)
        place = tuple(int(k) for k in np.unravel_index(int(np.argmax(worst)), worst.shape))
        labels = [(_statement(claim).span, note) for claim, note in self.suspects(name, values)]
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

    def suspects(self, name: str, values: Mapping[str, Array]) -> list[tuple[Step, str]]:
        """The statements whose contribution is none of the derived ones; all, if none is alone."""
        own = [(k, claim) for k, claim in enumerate(self.claims) if _target(claim) == name]
        left = [values[_part("derived", k)] for k, s in self.contributions() if _target(s) == name]
        odd: list[Step] = []
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


def _alone(steps: Iterable[Step]) -> Iterator[Step]:
    """Each statement by itself, in the scans that it stands in."""
    for step in steps:
        match step:
            case Statement():
                yield step
            case Scan(body=body):
                yield from (replace(step, body=(inner,)) for inner in _alone(body))


def _only(steps: Iterable[Step], is_wanted: Callable[[Statement], bool]) -> tuple[Step, ...]:
    """The statements that are wanted, in the scans that they stand in together."""
    found: list[Step] = []
    for step in steps:
        match step:
            case Statement():
                found += [step] if is_wanted(step) else []
            case Scan(body=body):
                kept = _only(body, is_wanted)
                found += [replace(step, body=kept)] if kept else []
    return tuple(found)


def _statement(step: Step) -> Statement:
    """The one statement of what `_alone` gives."""
    (statement,) = statements_of((step,))
    return statement


def _target(step: Step) -> str:
    return _statement(step).target


def _renamed(step: Step, target: str) -> Step:
    (renamed,) = map_statements((step,), lambda statement: replace(statement, target=target))
    return renamed


def _hint(claimed: Array, right: Array, batch: int) -> str:
    for factor, text in (
        (batch, f"divide by the batch extent: it is {batch} times too large"),
        (1 / batch, f"no division by the batch extent belongs here: it is {batch} times too small"),
        (-1, "the sign is the other one"),
    ):
        if factor != 1 and np.allclose(claimed, factor * right, rtol=1e-8):
            return text
    return "`einbatch grad` prints the derived statements"
