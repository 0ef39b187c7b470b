"""What a read of a named tensor stands for.

After `for b,j,i: h[b,j] += W[j,i]*x[b,i]`, the read `h[b,0]` stands for
`sum[i](W[0,i]*x[b,i])`:

    >>> from einbatch.ir.program import *
    >>> i, k = IndexValue("i"), IndexValue("k")
    >>> program = Program(
    ...     indices=(Index("i", None, Number(3)), Index("k", None, Number(3))),
    ...     tensors=(Tensor("s", "input", (Number(3),)), Tensor("P", "value", (Number(3),))),
    ...     statements=(Statement("P", (i,), "=", Apply("exp", (Read("s", (i,)),)), ("i",)),),
    ... )
    >>> find_definition(program, Read("P", (k,))) == Apply("exp", (Read("s", (k,)),))
    True

Where a definition's bound index would capture a free one of the place that reads
it, it is renamed: the new name is entered in `fresh` (new name to old), and
`declare_fresh` adds those indices to the program. Without a `fresh` to write to,
such a read has no definition. All of this holds where a tensor's value is the one
that its statement gave it: in forward and backward statements and reports, not
in update statements, which rewrite what they read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from einbatch.ir.primitives import REDUCTIONS
from einbatch.ir.program import (
    Expression,
    IndexValue,
    Program,
    Read,
    Reduce,
    Statement,
    statements_of,
)
from einbatch.ir.traverse import (
    children,
    free_indices,
    reads,
    rebuild,
    substitute,
    walk,
)

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
    writers = program.writers(tensor)
    found = writers[0] if len(writers) == 1 else None
    if not isinstance(found, Statement) or found.operator not in ("=", "+="):
        return None
    if any(read.tensor == tensor for read in reads(found.value)):
        return None
    names = [item.index for item in found.subscripts if isinstance(item, IndexValue)]
    distinct = len(set(names)) == len(found.subscripts)
    return found if distinct else None


def instantiate(
    program: Program,
    value: Expression,
    mapping: Mapping[str, Expression],
    fresh: Fresh | None = None,
) -> Expression | None:
    """`substitute` that renames bound indices which would capture; None where it can't."""
    needed = {name: new for name, new in mapping.items() if new != IndexValue(name)}
    apart = rename_apart(program, value, free_indices(*mapping.values()), fresh)
    if apart is None or not all(_is_renamable(node, needed) for node in walk(apart)):
        return None
    return substitute(apart, needed)


def rename_apart(
    program: Program, value: Expression, taken: Iterable[str], fresh: Fresh | None = None
) -> Expression | None:
    """The value, binding none of the indices `taken`; None where that takes a fresh name."""
    free = set(taken)
    captured = {name for name in _bound(value) if name in free}
    if not captured:
        return value
    if fresh is None:
        return None
    return _rename_bound(program, value, captured, free.union(_names(value)), fresh)


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


def _bound(expression: Expression) -> Iterator[str]:
    """The indices that reductions inside the expression bind."""
    for node in walk(expression):
        if isinstance(node, Reduce) and not REDUCTIONS[node.reduction].keeps:
            yield from node.indices


def _names(expression: Expression) -> Iterator[str]:
    """Every index that occurs, bound ones included."""
    for node in walk(expression):
        match node:
            case IndexValue(index=index):
                yield index
            case Reduce(indices=indices):
                yield from indices
            case _:
                pass


def _rename_bound(
    program: Program, expression: Expression, captured: set[str], avoided: set[str], fresh: Fresh
) -> Expression:
    parts = tuple(
        _rename_bound(program, child, captured, avoided, fresh) for child in children(expression)
    )
    expression = rebuild(expression, parts) if parts else expression
    if not isinstance(expression, Reduce) or REDUCTIONS[expression.reduction].keeps:
        return expression
    names = {
        name: _fresh_name(program, name, avoided, fresh)
        for name in expression.indices
        if name in captured
    }
    values = {old: IndexValue(new) for old, new in names.items()}
    indices = tuple(names.get(name, name) for name in expression.indices)
    return replace(expression, indices=indices, body=substitute(expression.body, values))


def _fresh_name(program: Program, name: str, avoided: set[str], fresh: Fresh) -> str:
    """A name that nothing in the program has, nor anything near the place."""
    taken = {index.name for index in program.indices}
    taken.update(tensor.name for tensor in program.tensors)
    taken.update(let.name for let in program.lets)
    taken.update(extent for extent, _ in program.extents)
    origin = fresh.get(name, name)
    number = 1
    taken |= avoided
    while f"{origin}_{number}" in taken or fresh.get(f"{origin}_{number}", origin) != origin:
        number += 1
    new = f"{origin}_{number}"
    avoided.add(new)
    fresh[new] = origin
    return new


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
