"""One step of training: each objective derived at the params that the updates before it leave.

Before, `s` being a forward statement that reads `Wd`, and `U` an update that rewrites it:

    forward statements, s among them
    backward statements of the first objective
    U: Wd -= …
    backward statements of the second one

After:

    forward statements, s among them
    backward statements of the first objective
    U: Wd -= …
    s_1, as s but of the new Wd
    backward statements of the second one, which read s_1

What does not depend on a rewritten param, or is not read again, is computed once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from einbatch.ir.build import names_of
from einbatch.ir.program import Objective, Program, Statement, Step, Tensor, statements_of
from einbatch.ir.traverse import map_statements, reads, rename_tensors, written

Names = dict[str, str]


@dataclass(frozen=True, slots=True)
class Section:
    """What an objective adds: its backward statements, their tensors, the updates after it.

    `renamed` are the cotangents that go by another name than `T.grad`.
    """

    objective: Objective
    backward: tuple[Step, ...]
    cotangents: tuple[Tensor, ...]
    updates: tuple[Step, ...]
    renamed: Names


def run_in_turn(source: Program, forward: Program, sections: Iterable[Section]) -> Program:
    """The forward statements and the first backward ones; all that comes later as updates.

    `source` has the reports and the train line; `forward` has its tensors too.
    """
    taken = names_of(forward)
    statements = list(forward.statements)
    tensors = list(forward.tensors)
    updates: list[Step] = []
    objectives: list[Objective] = []
    params = {param.name + forward.cotangent for param in forward.of_kind("param")}
    for number, section in enumerate(sections):
        again, copied = _at_new_params(forward, section, updates, taken)
        tensors += [replace(forward.tensor(old), name=new) for old, new in copied.items()]
        names = section.renamed | _cotangents(section, copied, forward.cotangent)
        tensors += [replace(t, name=names.get(t.name, t.name)) for t in section.cotangents]
        backward = rename_steps(section.backward, {**copied, **names})
        if number == 0:
            statements += backward
        else:
            updates += [*rename_steps(again, copied), *backward]
        objectives.append(replace(section.objective, after=len(updates)))
        own = {name: new for name, new in names.items() if name not in params}
        updates += rename_steps(section.updates, own, only_reads=True)
    return replace(
        forward,
        tensors=tuple(tensors),
        statements=tuple(statements),
        objectives=tuple(objectives),
        reports=source.reports,
        updates=tuple(updates),
        train=source.train,
    )


def _at_new_params(
    forward: Program, section: Section, updates: list[Step], taken: set[str]
) -> tuple[tuple[Step, ...], Names]:
    """The forward statements whose values the updates change and that are needed, and new names."""
    kept = {tensor.name for tensor in forward.tensors if tensor.kind in ("param", "state")}
    affected = _affected(forward.statements, kept.intersection(written(updates)))
    needed = {name for step in section.backward for name in _names_read(step)}
    again = _needed(forward.statements, affected, needed)
    objective = section.objective.tensor
    return again, {name: under(name, objective, taken) for name in dict.fromkeys(written(again))}


def under(name: str, objective: str, taken: set[str]) -> str:
    """A name for what a tensor is under an objective: `s_lossG`; entered in `taken`."""
    base, dot, level = name.partition(".grad")
    found, number = f"{base}_{objective}", 1
    while found in taken or found + dot + level in taken:
        number += 1
        found = f"{base}_{objective}{number}"
    taken.add(found + dot + level)
    return found + dot + level


def _cotangents(section: Section, copied: Names, suffix: str) -> Names:
    """The cotangents of what is computed anew go by its new name."""
    pairs = ((t.name, t.name.removesuffix(suffix)) for t in section.cotangents)
    return {name: copied[base] + suffix for name, base in pairs if base in copied}


def _affected(steps: tuple[Step, ...], rewritten: Collection[str]) -> set[str]:
    """The tensors that depend on what has been rewritten."""
    affected = set(rewritten)
    found = -1
    while found < len(affected):
        found = len(affected)
        for statement in statements_of(steps):
            if affected.intersection(_names_read(statement)):
                affected.add(statement.target)
    return affected


def _needed(
    steps: tuple[Step, ...], affected: set[str], needed: Collection[str]
) -> tuple[Step, ...]:
    """The steps that compute anew what is needed of what is affected."""
    wanted = affected.intersection(needed)
    kept: list[Step] = []
    found = -1
    while found < len(wanted):
        found = len(wanted)
        kept = [step for step in steps if wanted.intersection(written([step]))]
        for step in kept:
            wanted |= {*written([step]), *(affected & _names_read(step))}
    return tuple(kept)


def _names_read(step: Step) -> set[str]:
    return {
        read.tensor
        for statement in statements_of((step,))
        for expression in (*statement.subscripts, statement.value)
        for read in reads(expression)
    }


def rename_steps(
    steps: Iterable[Step], names: Mapping[str, str], *, only_reads: bool = False
) -> tuple[Step, ...]:
    """The steps with tensors renamed where they are read and, unless `only_reads`, written."""

    def rule(statement: Statement) -> Statement:
        target = statement.target if only_reads else names.get(statement.target, statement.target)
        subscripts = tuple(rename_tensors(item, names) for item in statement.subscripts)
        value = rename_tensors(statement.value, names)
        return replace(statement, target=target, subscripts=subscripts, value=value)

    return map_statements(steps, rule)
