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

from dataclasses import replace

from einbatch.ir.program import Apply, Expression, Program, Statement
from einbatch.ir.traverse import free_indices, map_statements, transform
from einbatch.optimize.definitions import Fresh, declare_fresh, rename_apart
from einbatch.optimize.recognize import match_log, match_softmax


def stabilize(program: Program) -> Program:
    """The program with its logarithms and quotients of exponentials in stable form.

    Update statements stay as they are: they rewrite what a definition may rest on.
    """
    fresh: Fresh = {}

    def rewrite(statement: Statement) -> Statement:
        def rule(node: Expression) -> Expression:
            found = _stable(program, node, statement.indices, fresh)
            return node if found is None else found

        value = transform(statement.value, rule)
        return statement if value is statement.value else replace(statement, value=value)

    result = replace(
        program,
        statements=map_statements(program.statements, rewrite),
        reports=tuple(rewrite(report) for report in program.reports),
    )
    return declare_fresh(result, fresh)


def _stable(
    program: Program, node: Expression, indices: tuple[str, ...], fresh: Fresh
) -> Expression | None:
    """The stable form of one node over the same free indices, None where there is none.

    It binds none of the statement's own indices.
    """
    tried = dict(fresh)
    match node:
        case Apply(primitive="log", arguments=(argument,)):
            found = match_log(program, argument, tried)
        case Apply(primitive="div"):
            found = match_softmax(program, node, tried)
        case _:
            return None
    if found is not None:
        found = rename_apart(program, found, indices, tried)
    if found is None or set(free_indices(found)) != set(free_indices(node)):
        return None
    fresh.update(tried)
    return found
