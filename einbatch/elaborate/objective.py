"""The objective, and where its cotangents may be read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from einbatch.diagnostics import Diagnostic, diagnostic, fail
from einbatch.elaborate.scope import TENSORS, WORDS, Scope
from einbatch.elaborate.statements import target_name
from einbatch.ir import Objective, Step, statements_of
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
        raise scope.unknown(name)
    if symbol.meaning not in TENSORS:
        raise fail(
            "E0411",
            f"`{name.key}` is {WORDS[symbol.meaning]}; an objective is a tensor",
            (name.span, "minimized here"),
            (symbol.identifier.span, f"{WORDS[symbol.meaning]} here"),
            help="give what is to be minimized a name by a statement",
        )
    return Objective(lines[0].sense, name.key, lines[0].span)


def check_cotangents(
    reads: Mapping[str, tree.Identifier], program: tree.Tree, split: int, suffix: str
) -> Iterator[Diagnostic]:
    """Cotangents that nothing derives: read above `minimize`, without one, or of another level."""
    line = program.statements[split].span if split < len(program.statements) else None
    for key, identifier in reads.items():
        if line is None or identifier.span.start < line.start or not key.endswith(suffix):
            labels = [(identifier.span, "read here")]
            labels += [] if line is None else [(line, "derived from here on")]
            yield diagnostic(
                "E0419",
                f"`{key}` has no value here",
                *labels,
                help="cotangents are read by update statements, after a `minimize` line",
            )
