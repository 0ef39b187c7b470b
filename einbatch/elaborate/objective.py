"""The objectives, and where their cotangents may be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from einbatch.diagnostics import Diagnostic, Span, diagnostic, fail
from einbatch.elaborate.attempts import Attempts
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


def resolve_objectives(
    program: tree.Tree, scope: Scope, attempts: Attempts
) -> list[tuple[int, Objective]]:
    """What the `minimize` lines name, each with its place among them; errors to `attempts`."""
    lines = [s for s in program.statements if isinstance(s, tree.Minimize)]
    attempts.keep(_check_apart(lines))
    found: list[tuple[int, Objective]] = []
    for place, line in enumerate(lines):
        for param in line.over:
            attempts.attempt(lambda param=param: _check_param(param, scope))
        objective = attempts.attempt(lambda line=line: _resolve_objective(line, scope))
        if objective is not None:
            found.append((place, objective))
    return found


def _resolve_objective(line: tree.Minimize, scope: Scope) -> Objective:
    name = target_name(line.target)
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
    over = tuple(param.key for param in line.over) or None
    return Objective(line.sense, name.key, over, span=line.span)


def _check_param(name: tree.Identifier, scope: Scope) -> None:
    symbol = scope.find(name.key)
    if symbol is None:
        raise scope.unknown(name, meanings=("param",), form="`param {} = …`")
    if symbol.meaning != "param":
        raise fail(
            "E0418",
            f"`{name.key}` is {WORDS[symbol.meaning]}; an objective is minimized over params",
            (name.span, "named here"),
            (symbol.identifier.span, f"{WORDS[symbol.meaning]} here"),
            help="name only what a `param` line declares: that is what an objective changes",
        )


def _check_apart(lines: list[tree.Minimize]) -> Iterator[Diagnostic]:
    """Several objectives have params of their own: none without a list, none in two of them."""
    bare = next((line for line in lines if not line.over), None)
    if bare is not None and len(lines) > 1:
        other = next(line for line in lines if line is not bare)
        yield diagnostic(
            "E0417",
            "of several objectives, each names the params that it is over",
            (bare.span, "this one names none"),
            (other.span, "another one here"),
            help="write `minimize L over W, C`, or minimize one sum of all of them",
        )
    seen: dict[str, tree.Identifier] = {}
    for param in (name for line in lines for name in line.over):
        if param.key in seen:
            yield diagnostic(
                "E0418",
                f"`{param.key}` is named twice: each param has one objective",
                (param.span, "again here"),
                (seen[param.key].span, "first here"),
                help="name it once; a sum of objectives can be minimized over it",
            )
        seen.setdefault(param.key, param)


def check_objectives(program: Program) -> Iterator[Diagnostic]:
    """Each objective is a scalar, or carries the batch index alone."""
    batch = None if program.batch is None else program.index(program.batch).extent
    for objective in program.objectives:
        tensor = program.tensor(objective.tensor)
        if len(tensor.extents) <= 1 and all(extent == batch for extent in tensor.extents):
            continue
        yield diagnostic(
            "E0411",
            f"`{objective.tensor}` has {counted(len(tensor.extents), 'axis')}; "
            "an objective is a scalar, or carries the batch index alone",
            (objective.span, "minimized here"),
            (tensor.span, "written here" if tensor.kind == "value" else "declared here"),
            help="sum or average over the other indices first",
        )


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
