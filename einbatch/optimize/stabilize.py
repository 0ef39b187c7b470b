"""Logarithms and quotients of exponentials, rewritten so that nothing overflows.

Before and after, `P` being defined by `for b,ŷ: P[b,ŷ] = softmax[ŷ](s[b,ŷ])`:

    for b: loss[b] = -log(P[b,label[b]])
    for b: loss[b] = -(s[b,label[b]] - logsumexp[ŷ](s[b,ŷ]))

Likewise `exp(e)/sum[i](exp(e))` is `softmax[i](e)`, its logarithm is
`log_softmax[i](e)`, `log(sum[i](exp(e)))` is `logsumexp[i](e)`, `log(sigmoid(e))`
is `-softplus(-e)` and `log(1 - sigmoid(e))` is `-softplus(e)`, all of them also
through tensors that name a part:

    >>> from einbatch.ir.program import *
    >>> i = IndexValue("i")
    >>> power = Apply("exp", (Read("s", (i,)),))
    >>> program = Program(
    ...     indices=(Index("i", None, Number(3)),),
    ...     tensors=(Tensor("s", "input", (Number(3),)), Tensor("E", "value", (Number(3),)),
    ...              Tensor("loss", "value", ())),
    ...     statements=(
    ...         Statement("E", (i,), "=", power, ("i",)),
    ...         Statement("loss", (), "=", Apply("log", (Reduce("sum", ("i",), Read("E", (i,))),)),
    ...                   ()),
    ...     ),
    ... )
    >>> stabilize(program).statements[1].value == Reduce("logsumexp", ("i",), Read("s", (i,)))
    True
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby

from einbatch.ir.program import Apply, Expression, Program, Statement, Step, statements_of
from einbatch.ir.traverse import free_indices, map_statements, transform, written
from einbatch.optimize.definitions import Fresh, declare_fresh, rename_apart
from einbatch.optimize.recognize import match_log, match_softmax


def stabilize(program: Program) -> Program:
    """The program with its logarithms and quotients of exponentials in stable form.

    Update statements rewrite what a definition may rest on: between two that do, a
    definition is looked for among the statements there alone.
    """
    fresh: Fresh = {}
    writers: dict[str, list[Step]] = {}
    for step in program.updates:
        for name in dict.fromkeys(written([step])):
            writers.setdefault(name, []).append(step)
    updates = (
        step
        for block in _blocks(program)
        for step in _rewritten(_alone(program, block, writers), block, fresh)
    )
    result = replace(
        program,
        statements=_rewritten(program, program.statements, fresh),
        reports=tuple(statements_of(_rewritten(program, program.reports, fresh))),
        updates=tuple(updates),
    )
    return declare_fresh(result, fresh)


def _rewritten(program: Program, steps: Iterable[Step], fresh: Fresh) -> tuple[Step, ...]:
    def rewrite(statement: Statement) -> Statement:
        def rule(node: Expression) -> Expression:
            found = _stable(program, node, statement.indices, fresh)
            return node if found is None else found

        value = transform(statement.value, rule)
        return statement if value is statement.value else replace(statement, value=value)

    return map_statements(steps, rewrite)


def _blocks(program: Program) -> Iterator[tuple[Step, ...]]:
    """The updates, cut before and after each one that rewrites a param or a state."""
    kept = {tensor.name for tensor in program.tensors if tensor.kind != "value"}
    for rewrites, steps in groupby(program.updates, lambda s: bool(kept & {*written([s])})):
        del rewrites
        yield tuple(steps)


def _alone(program: Program, block: tuple[Step, ...], writers: Mapping[str, list[Step]]) -> Program:
    """The program of a block, and of what else writes the same: that has no one definition."""
    own = {id(step) for step in block}
    others = (s for name in dict.fromkeys(written(block)) for s in writers[name])
    apart = (step for step in others if id(step) not in own and step not in block)
    return replace(program, statements=(*block, *apart))


def _stable(
    program: Program, node: Expression, indices: tuple[str, ...], fresh: Fresh
) -> Expression | None:
    """The stable form of one node over the same free indices, None where there is none.

    It binds none of the statement's own indices.
    """
    if not isinstance(node, Apply) or node.primitive not in ("log", "div"):
        return None
    tried = dict(fresh)
    if node.primitive == "log":
        found = match_log(program, node.arguments[0], tried)
    else:
        found = match_softmax(program, node, tried)
    if found is not None:
        found = rename_apart(program, found, indices, tried)
    if found is None or set(free_indices(found)) != set(free_indices(node)):
        return None
    fresh.update(tried)
    return found
