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

Where a definition's bound index would capture a free one of the place that reads
it, it is renamed: the new name is entered in `fresh` (new name to old), and
`declare_fresh` adds those indices to the program. Without a `fresh` to write to,
such a place has no match. All of this holds where a tensor's value is the one
that its statement gave it: in forward and backward statements and reports, not
in update statements, which rewrite what they read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from einbatch.ir.primitives import REDUCTIONS
from einbatch.ir.program import (
    Apply,
    Expression,
    IndexValue,
    Number,
    Program,
    Read,
    Reduce,
    Statement,
    statements_of,
)
from einbatch.ir.traverse import children, free_indices, reads, rebuild, substitute, walk, written

Fresh = dict[str, str]


def find_definition(program: Program, read: Read, fresh: Fresh | None = None) -> Expression | None:
    """The value of what is read, its subscripts substituted, where one statement gives it.

    That is an `=` with distinct bare subscripts, or one `+=` with such, then as a
    `sum` over its bound indices. None for params, inputs and state, for reads
    with an `else`, and where a softmax' index would have to become an expression.
    """
    statement = find_statement(program, read.tensor)
    if statement is None or read.otherwise is not None:
        return None
    names = [item.index for item in statement.subscripts if isinstance(item, IndexValue)]
    bound = tuple(name for name in statement.indices if name not in names)
    value = Reduce("sum", bound, statement.value) if bound else statement.value
    return instantiate(program, value, dict(zip(names, read.subscripts, strict=True)), fresh)


def find_statement(program: Program, tensor: str) -> Statement | None:
    """The one statement that gives a tensor its value by `=` or `+=`, over bare subscripts."""
    if sum(target == tensor for target in written(program.statements)) != 1:
        return None
    found = [
        step
        for step in program.statements
        if isinstance(step, Statement) and step.target == tensor and step.operator in ("=", "+=")
    ]
    if not found or any(read.tensor == tensor for read in reads(found[0].value)):
        return None
    names = [item.index for item in found[0].subscripts if isinstance(item, IndexValue)]
    distinct = len(set(names)) == len(found[0].subscripts)
    return found[0] if distinct else None


def instantiate(
    program: Program,
    value: Expression,
    mapping: Mapping[str, Expression],
    fresh: Fresh | None = None,
) -> Expression | None:
    """`substitute` that renames bound indices which would capture; None where it can't."""
    needed = {name: new for name, new in mapping.items() if new != IndexValue(name)}
    free = free_indices(*mapping.values())
    captured = {name for name in _bound(value) if name in free}
    if captured and fresh is None:
        return None
    if captured and fresh is not None:
        value = _rename_bound(program, value, captured, fresh)
    if not all(_is_renamable(node, needed) for node in walk(value)):
        return None
    return substitute(value, needed)


def declare_fresh(program: Program, fresh: Fresh) -> Program:
    """The program with the indices of `fresh` that it uses, their extents those of the old ones."""
    used = _used_indices(program)
    known = {index.name for index in program.indices}
    added = tuple(
        replace(program.index(old), name=new, declared=None)
        for new, old in fresh.items()
        if new not in known and new in used
    )
    return replace(program, indices=(*program.indices, *added)) if added else program


def _used_indices(program: Program) -> set[str]:
    """The indices that reductions of the program bind."""
    statements = (*statements_of(program.statements), *program.reports)
    statements += (*statements_of(program.updates),)
    return {name for item in statements for name in _bound(item.value)}


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
        case Apply(primitive="div", arguments=(Number(value=1), Apply("add", (a, b)))):
            exponents = [match_exp(program, x, fresh) for x in (a, b) if x != Number(1)]
            if len(exponents) == 1 and exponents[0] is not None:
                return _negative(exponents[0])
        case Apply(primitive="add", arguments=(Number(value=1), Apply("neg", (rest,)))):
            return _negated(match_sigmoid(program, rest, fresh))
        case Apply(primitive="add", arguments=(Apply("neg", (rest,)), Number(value=1))):
            return _negated(match_sigmoid(program, rest, fresh))
        case _:
            pass
    return None


def match_log(
    program: Program, argument: Expression, fresh: Fresh | None = None
) -> Expression | None:
    """A stable expression for `log(argument)`, None where there is none better."""
    softmax = match_softmax(program, argument, fresh)
    if softmax is not None:
        return replace(softmax, reduction="log_softmax")
    total = match_sum_exp(program, argument, fresh)
    if total is not None:
        return replace(total, reduction="logsumexp")
    logit = match_sigmoid(program, argument, fresh)
    if logit is not None:
        return _negative(Apply("softplus", (_negative(logit),), argument.span))
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


def resolve(program: Program, expression: Expression, fresh: Fresh | None = None) -> Expression:
    """The expression behind a chain of reads of tensors that one statement each defines."""
    for _ in program.statements:
        if not isinstance(expression, Read):
            break
        value = find_definition(program, expression, fresh)
        if value is None:
            break
        expression = value
    return expression


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


def _bound(expression: Expression) -> Iterator[str]:
    """The indices that reductions inside the expression bind."""
    for node in walk(expression):
        if isinstance(node, Reduce) and not REDUCTIONS[node.reduction].keeps:
            yield from node.indices


def _rename_bound(
    program: Program, expression: Expression, captured: set[str], fresh: Fresh
) -> Expression:
    parts = tuple(_rename_bound(program, child, captured, fresh) for child in children(expression))
    expression = rebuild(expression, parts) if parts else expression
    if not isinstance(expression, Reduce) or REDUCTIONS[expression.reduction].keeps:
        return expression
    names = {
        name: _fresh_name(program, name, fresh) for name in expression.indices if name in captured
    }
    values = {old: IndexValue(new) for old, new in names.items()}
    indices = tuple(names.get(name, name) for name in expression.indices)
    return replace(expression, indices=indices, body=substitute(expression.body, values))


def _fresh_name(program: Program, name: str, fresh: Fresh) -> str:
    """A name that nothing in the program has; a new one each time."""
    taken = {index.name for index in program.indices}
    taken.update(tensor.name for tensor in program.tensors)
    taken.update(let.name for let in program.lets)
    taken.update(extent for extent, _ in program.extents)
    origin = fresh.get(name, name)
    number = 1
    while f"{origin}_{number}" in taken or f"{origin}_{number}" in fresh:
        number += 1
    fresh[f"{origin}_{number}"] = origin
    return f"{origin}_{number}"


def _is_renamable(node: Expression, mapping: Mapping[str, Expression]) -> bool:
    """False where a softmax' own index would become an expression, or one that its body reads."""
    if not isinstance(node, Reduce) or not REDUCTIONS[node.reduction].keeps:
        return True
    names = [mapping.get(name, IndexValue(name)) for name in node.indices]
    others = [name for name in free_indices(node.body) if name not in node.indices]
    taken = free_indices(*(mapping.get(name, IndexValue(name)) for name in others))
    distinct = len({name.index for name in names if isinstance(name, IndexValue)}) == len(names)
    return distinct and not any(
        name.index in taken for name in names if isinstance(name, IndexValue)
    )


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
