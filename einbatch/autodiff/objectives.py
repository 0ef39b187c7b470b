"""Program → program: each objective derived for itself, over its own params, in order.

Before:

    minimize lossD over Wd
    minimize lossG over Wg

After: the forward statements, the seed of `lossD` and what flows back from it to `Wd`,
then the seed of `lossG` and what flows back from that to `Wg`. Where both go through a
tensor `s`, `s.grad` is the cotangent under the first objective that reaches it, and
`s_lossG.grad` the one under `lossG`; a param's is `W.grad`, for it has one objective.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from einbatch.autodiff.differentiate import Derivation, derive
from einbatch.autodiff.in_turn import Section, rename_steps, run_in_turn, under
from einbatch.diagnostics import fail
from einbatch.ir.build import names_of
from einbatch.ir.canonical import in_canonical_order
from einbatch.ir.program import Program, statements_of
from einbatch.ir.traverse import reads


def differentiate(
    program: Program, wrt: Collection[str] = (), *, simplify: bool = True, keep: bool = False
) -> Program:
    """The derived program: forward statements, the seed, the backward statements.

    Params always get their cotangents, those of the objective that is over them; `wrt`
    names inputs that get one too, under each objective. With `keep`, reports, updates,
    objectives and train line stay beside them, every cotangent that the updates read is
    made, and an objective is derived at the params that the updates before it leave.
    Raises EinbatchError where there is no objective or no derivative, or where `wrt`
    names what has none.
    """
    if not program.objectives:
        raise fail(
            "E0502",
            "the program has no objective, so nothing can be derived",
            help="add a line `minimize loss`",
        )
    _check_asked(program, wrt)
    forward, sections = _sections(program, wrt, simplify=simplify)
    if keep:
        return in_canonical_order(_with_left_out(program, run_in_turn(program, forward, sections)))
    return in_canonical_order(_side_by_side(forward, sections))


def _side_by_side(forward: Program, sections: list[Section]) -> Program:
    """The forward statements, then the backward ones of each objective, all at the same params."""
    steps, tensors = list(forward.statements), list(forward.tensors)
    for section in sections:
        steps += rename_steps(section.backward, section.renamed)
        names = section.renamed
        tensors += [replace(t, name=names.get(t.name, t.name)) for t in section.cotangents]
    level = int(forward.cotangent.removeprefix(".grad") or 1) + 1
    return replace(
        forward, statements=tuple(steps), tensors=tuple(tensors), cotangent=f".grad{level}"
    )


def split_objectives(program: Program) -> tuple[Program, ...]:
    """For each objective, the program with that one alone, and the updates that stand after it."""
    pairs = zip(program.objectives, program.sections, strict=True)
    return tuple(
        replace(program, objectives=(replace(objective, after=0),), updates=updates)
        for objective, updates in pairs
    )


def _sections(
    program: Program, wrt: Collection[str], *, simplify: bool
) -> tuple[Program, list[Section]]:
    """The forward statements, their parts named for all objectives, and what each one adds."""
    base, found = program, list[tuple[Program, Derivation]]()
    for part in split_objectives(program):
        whole = replace(
            part, statements=base.statements, indices=base.indices, tensors=base.tensors
        )
        derivation = derive(_with_left_out(program, whole), _asked(part, wrt), simplify=simplify)
        indices = (*derivation.forward.indices, *derivation.indices)
        base = replace(derivation.forward, indices=indices)
        found.append((part, derivation))
    names = _Names(program, base)
    return base, [_section(part, derivation, names) for part, derivation in found]


def _section(part: Program, derivation: Derivation, names: _Names) -> Section:
    (objective,) = part.objectives
    targets = [tensor.name for tensor in derivation.cotangents]
    renamed = names.apart(objective.tensor, targets)
    return Section(objective, derivation.backward, derivation.cotangents, part.updates, renamed)


class _Names:
    """Gives each objective's cotangents names of their own; a param's keeps the plain one."""

    def __init__(self, program: Program, forward: Program) -> None:
        self.taken = names_of(forward) | names_of(program)
        self.used: set[str] = set()
        self.done = 0
        self.owner = {
            param + program.cotangent: number
            for number, objective in enumerate(program.objectives)
            for param in objective.over or ()
        }

    def apart(self, objective: str, targets: Iterable[str]) -> dict[str, str]:
        """New names for those of an objective's cotangents whose own name is not free."""
        renamed: dict[str, str] = {}
        for target in targets:
            if target in self.used or self.owner.get(target, self.done) != self.done:
                renamed[target] = under(target, objective, self.taken)
            else:
                self.used.add(target)
        self.done += 1
        return renamed


def _check_asked(program: Program, wrt: Collection[str]) -> None:
    for name in wrt:
        tensor = program.find_tensor(name)
        if tensor is None or tensor.integer or tensor.kind == "value":
            raise fail(
                "E0503",
                f"there is no derivative with respect to `{name}`",
                *([] if tensor is None else [(tensor.span, "declared here")]),
                help="name an input or a param that holds numbers",
            )


def _asked(part: Program, wrt: Collection[str]) -> tuple[str, ...]:
    """The tensors whose cotangents are wanted: params, `wrt`, and what the updates read.

    Of the params, those that the objective is over.
    """
    (objective,) = part.objectives
    suffix = part.cotangent
    mentioned = {
        read.tensor
        for statement in statements_of(part.updates)
        for expression in (*statement.subscripts, statement.value)
        for read in reads(expression)
    }
    mentioned |= {statement.target for statement in statements_of(part.updates)}
    names = [name.removesuffix(suffix) for name in mentioned if name.endswith(suffix)]
    if objective.over is not None:
        params = [tensor.name for tensor in part.of_kind("param")]
        names = [name for name in names if name not in params]
    chosen = {*part.params_of(objective), *wrt, *names}
    return tuple(t.name for t in part.tensors if t.name in chosen and not t.integer)


def _with_left_out(program: Program, derived: Program) -> Program:
    """With the tensors of reports and updates, which the derived program alone does not have."""
    known = {tensor.name for tensor in derived.tensors}
    others = (tensor for tensor in program.tensors if tensor.name not in known)
    return replace(derived, tensors=(*derived.tensors, *others))
