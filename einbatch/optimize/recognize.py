"""What a read stands for, and which plain expressions have a stable form.

The matchers look through named tensors: after

    for b,ŷ: E[b,ŷ]  = exp(s[b,ŷ])
    for b,ŷ: Z[b]   += E[b,ŷ]
    for b,ŷ: P[b,ŷ]  = E[b,ŷ]/Z[b]

`match_softmax` finds that `P[b,ŷ]` is `softmax[ŷ](s[b,ŷ])`, and `match_log` that
`log(P[b,label[b]])` is `s[b,label[b]] - logsumexp[ŷ](s[b,ŷ])`:

    >>> from einbatch.ir.program import *
    >>> i, k = IndexValue("i"), IndexValue("k")
    >>> softmax = Reduce("softmax", ("i",), Read("s", (i,)))
    >>> program = Program(
    ...     indices=(Index("i", None, Number(3)), Index("k", None, Number(3))),
    ...     tensors=(Tensor("s", "input", (Number(3),)), Tensor("P", "value", (Number(3),))),
    ...     statements=(Statement("P", (i,), "=", softmax, ("i",)),),
    ... )
    >>> find_definition(program, Read("P", (k,)))
    Reduce(reduction='softmax', indices=('k',), body=Read(tensor='s', \
subscripts=(IndexValue(index='k'),), otherwise=None))
    >>> match_log(program, Read("P", (k,))) == Reduce("log_softmax", ("k",), Read("s", (k,)))
    True

`find_definition`, and what `fresh` is for: see `definitions`.
"""

from __future__ import annotations

from dataclasses import replace

from einbatch.ir.program import Apply, Expression, IndexValue, Number, Program, Read, Reduce
from einbatch.ir.traverse import free_indices, substitute, walk
from einbatch.optimize.definitions import (
    Fresh,
    declare_fresh,
    find_definition,
    find_statement,
    instantiate,
    rename_apart,
    resolve,
)

__all__ = [
    "Fresh",
    "declare_fresh",
    "find_definition",
    "match_log",
    "match_sigmoid",
    "match_softmax",
    "resolve",
]


def match_softmax(
    program: Program, expression: Expression, fresh: Fresh | None = None
) -> Reduce | None:
    """`softmax[i](e)` where the expression is that, or `exp(e)/sum[i](exp(e))`."""
    match resolve(program, expression, fresh):
        case Reduce(reduction="softmax") as found:
            return found
        case Apply(primitive="div", arguments=(above, below), span=span):
            exponent = match_exp(program, above, fresh)
            total = match_sum_exp(program, below, fresh)
            if exponent is None or total is None:
                return None
            names = _renaming(total.body, exponent, total.indices)
            if names is None or any(name in free_indices(total) for name in names):
                return None
            return Reduce("softmax", names, exponent, span)
        case _:
            pass
    return None


def match_exp(
    program: Program, expression: Expression, fresh: Fresh | None = None
) -> Expression | None:
    """`e` where the expression is `exp(e)`."""
    match resolve(program, expression, fresh):
        case Apply(primitive="exp", arguments=(exponent,)):
            return exponent
        case _:
            return None


def match_sum_exp(
    program: Program, expression: Expression, fresh: Fresh | None = None
) -> Reduce | None:
    """`sum[i](e)` (the exponents, not yet exponentiated) where it is `sum[i](exp(e))`."""
    match resolve(program, expression, fresh):
        case Reduce(reduction="sum", body=body) as found:
            exponent = match_exp(program, body, fresh)
            return None if exponent is None else replace(found, body=exponent)
        case _:
            return None


def match_sigmoid(
    program: Program, expression: Expression, fresh: Fresh | None = None
) -> Expression | None:
    """`e` where it is `sigmoid(e)` or `1/(1 + exp(-e))`; `-e` where it is 1 less that."""
    match resolve(program, expression, fresh):
        case Apply(primitive="sigmoid", arguments=(argument,)):
            return argument
        case Apply(primitive="div", arguments=(Number(value=1), below)):
            return _negated(match_one_plus_exp(program, below, fresh))
        case Apply(primitive="add", arguments=(Number(value=1), Apply("neg", (rest,)))):
            return _negated(match_sigmoid(program, rest, fresh))
        case Apply(primitive="add", arguments=(Apply("neg", (rest,)), Number(value=1))):
            return _negated(match_sigmoid(program, rest, fresh))
        case _:
            pass
    return None


def match_one_plus_exp(
    program: Program, expression: Expression, fresh: Fresh | None = None
) -> Expression | None:
    """`e` where the expression is `1 + exp(e)`."""
    match resolve(program, expression, fresh):
        case Apply(primitive="add", arguments=(Number(value=1), other)):
            return match_exp(program, other, fresh)
        case Apply(primitive="add", arguments=(other, Number(value=1))):
            return match_exp(program, other, fresh)
        case _:
            return None


def match_log(
    program: Program, argument: Expression, fresh: Fresh | None = None
) -> Expression | None:
    """A stable expression for `log(argument)`, None where there is none better.

    It binds none of the argument's free indices.
    """
    found = _match_log(program, argument, fresh)
    return None if found is None else rename_apart(program, found, free_indices(argument), fresh)


def _match_log(program: Program, argument: Expression, fresh: Fresh | None) -> Expression | None:
    softmax = match_softmax(program, argument, fresh)
    if softmax is not None:
        return replace(softmax, reduction="log_softmax")
    total = match_sum_exp(program, argument, fresh)
    if total is not None:
        return replace(total, reduction="logsumexp")
    logit = match_sigmoid(program, argument, fresh)
    if logit is not None:
        return _negative(Apply("softplus", (_negative(logit),), argument.span))
    exponent = match_one_plus_exp(program, argument, fresh)
    if exponent is not None:
        return Apply("softplus", (exponent,), argument.span)
    match resolve(program, argument, fresh):
        case Apply(primitive="exp", arguments=(exponent,)):
            return exponent
        case Apply(primitive="div", arguments=(above, below)):
            exponent = match_exp(program, above, fresh)
            total = match_sum_exp(program, below, fresh)
            if exponent is None or total is None:
                return None
            return _difference(exponent, replace(total, reduction="logsumexp"))
        case Read() as read:
            return _match_log_of_gathered(program, read, fresh)
        case _:
            return None


def _match_log_of_gathered(program: Program, read: Read, fresh: Fresh | None) -> Expression | None:
    """`log(P[b,label[b]])` of `P[b,ŷ] = softmax[ŷ](e)`: e at the label, less logsumexp[ŷ](e)."""
    statement = find_statement(program, read.tensor)
    if statement is None or read.otherwise is not None:
        return None
    softmax = match_softmax(program, Read(read.tensor, statement.subscripts), fresh)
    if softmax is None:
        return None
    mapping = {
        item.index: new
        for item, new in zip(statement.subscripts, read.subscripts, strict=True)
        if isinstance(item, IndexValue)
    }
    if not all(name in mapping for name in softmax.indices):
        return None
    chosen = instantiate(program, softmax.body, mapping, fresh)
    total = instantiate(program, replace(softmax, reduction="logsumexp"), mapping, fresh)
    return None if chosen is None or total is None else _difference(chosen, total)


def _renaming(
    pattern: Expression, expression: Expression, bound: tuple[str, ...]
) -> tuple[str, ...] | None:
    """The indices that `bound` must be renamed to for the pattern to be the expression."""
    found: dict[str, str] = {}
    for a, b in zip(walk(pattern), walk(expression), strict=False):
        if isinstance(a, IndexValue) and a.index in bound and isinstance(b, IndexValue):
            found.setdefault(a.index, b.index)
    names = tuple(found.get(name, "") for name in bound)
    if "" in names or len(set(names)) < len(names):
        return None
    renamed = substitute(pattern, {old: IndexValue(new) for old, new in found.items()})
    return names if renamed == expression else None


def _negative(expression: Expression) -> Expression:
    match expression:
        case Apply(primitive="neg", arguments=(inner,)):
            return inner
        case _:
            return Apply("neg", (expression,), expression.span)


def _negated(expression: Expression | None) -> Expression | None:
    return None if expression is None else _negative(expression)


def _difference(a: Expression, b: Expression) -> Expression:
    return Apply("add", (a, Apply("neg", (b,), b.span)), a.span)
