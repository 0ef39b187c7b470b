"""The objective, and where its cotangents may be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from einbatch.diagnostics import Diagnostic, Span, diagnostic, fail
from einbatch.elaborate.scans import reads_of
from einbatch.elaborate.scope import TENSORS, WORDS, Scope
from einbatch.elaborate.statements import target_name
from einbatch.elaborate.wording import counted
from einbatch.ir import Objective, Program, Step, Tensor, statements_of
from einbatch.syntax import nodes as tree


def next_cotangent(steps: Iterable[Step]) -> str:
    """The suffix of the cotangents: `.grad`, or `.grad2` where forward tensors end in `.grad`."""
    level = 0
    for statement in statements_of(tuple(steps)):
        _, dot, number = statement.target.rpartition(".grad")
        if dot:
            level = max(level, int(number or 1))
    return ".grad" if level == 0 else f".grad{level + 1}"


def resolve_objective(program: tree.Tree, scope: Scope) -> Objective | None:
    """What the `minimize` line names; EinbatchError where it is no tensor, or a second line."""
    lines = [s for s in program.statements if isinstance(s, tree.Minimize)]
    if not lines:
        return None
    if len(lines) > 1:
        raise fail(
            "E0417",
            "a program has one objective",
            (lines[1].span, "a second one here"),
            (lines[0].span, "the first one here"),
            help="minimize the sum of both",
        )
    name = target_name(lines[0].target)
    symbol = scope.find(name.key)
    if symbol is None:
        raise scope.unknown(name, meanings=tuple(TENSORS), form="`{} = …`, before this line")
    if symbol.meaning not in TENSORS:
        raise fail(
            "E0411",
            f"`{name.key}` is {WORDS[symbol.meaning]}; an objective is a tensor",
            (name.span, "minimized here"),
            (symbol.identifier.span, f"{WORDS[symbol.meaning]} here"),
            help="give what is to be minimized a name by a statement",
        )
    return Objective(lines[0].sense, name.key, lines[0].span)


def check_objective(program: Program) -> list[Diagnostic]:
    """The objective is a scalar, or carries the batch index alone."""
    objective = program.objective
    if objective is None:
        return []
    tensor = program.tensor(objective.tensor)
    batch = None if program.batch is None else program.index(program.batch).extent
    if len(tensor.extents) <= 1 and all(extent == batch for extent in tensor.extents):
        return []
    return [
        diagnostic(
            "E0411",
            f"`{objective.tensor}` has {counted(len(tensor.extents), 'axis')}; "
            "an objective is a scalar, or carries the batch index alone",
            (objective.span, "minimized here"),
            (tensor.span, "written here" if tensor.kind == "value" else "declared here"),
            help="sum or average over the other indices first",
        )
    ]


def check_derivatives(program: Program) -> Iterator[Diagnostic]:
    """Errors for cotangents of tensors that hold integers."""
    for tensor in program.tensors:
        base, dot, _ = tensor.name.rpartition(".grad")
        holder = program.find_tensor(base) if dot else None
        if holder is not None and holder.integer:
            yield diagnostic(
                "E0503",
                f"`{base}` holds integers, and has no derivative",
                (_first_use(program, tensor), "its cotangent here"),
                (holder.span, "declared here"),
                help="cotangents are of inputs, params and tensors that hold numbers",
            )


def _first_use(program: Program, tensor: Tensor) -> Span:
    """The first place that reads a tensor, else the one that declares it."""
    steps = statements_of((*program.statements, *program.updates))
    places = (read.span for step in steps for read in reads_of(step) if read.tensor == tensor.name)
    return next(places, tensor.span)
