"""Loops over examples instead of kernel offsets, where each makes one wide matrix product.

The patches of one example fit the cache, and `K[o,(i,u,v)] × patches[(i,u,v),(r,c)]` is
a better product than the narrow ones of each offset. (K. Chellapilla, S. Puri and
P. Simard, "High performance convolutional neural networks for document processing",
2006, for all examples at once.)
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from einbatch.ir.program import Expression, IndexValue, Read, Statement
from einbatch.ir.traverse import free_indices, reads
from einbatch.plan.lowering import Lowering
from einbatch.plan.sliding import moving, own_reads
from einbatch.plan.subscripts import find_affine

LEAST = 4
"""Fewer rounds are no blocks."""


def find_block(
    low: Lowering, expressions: Sequence[Expression], bound: Sequence[str]
) -> str | None:
    """The index to loop over in a sum of products where a factor slides; None: its offsets."""
    if not low.uses("block"):
        return None
    sliding = [e for e in expressions if any(_slides(low, read) for read in own_reads(e))]
    if len(sliding) != 1 or len(expressions) < 2 or not isinstance(sliding[0], Read):
        return None
    patch = set(low.free(free_indices(sliding[0])))
    others = set(low.free(free_indices(*(e for e in expressions if e is not sliding[0]))))
    if not others - patch:
        return None  # a product of a matrix and a vector for each element
    result = low.free(n for n in free_indices(*expressions) if n not in bound)
    most = max(_largest(low, expressions), prod(low.shape(result)))
    return _first(low, sliding[0].subscripts, prod(low.shape(patch)), most)


def find_left_block(low: Lowering, statement: Statement, bound: Sequence[str]) -> str | None:
    """The same of a statement that writes through sliding subscripts."""
    slides = low.uses("block") and _slides(low, Read(statement.target, statement.subscripts))
    if statement.operator not in ("+=", "-=") or not bound or not slides:
        return None
    expressions = [statement.value]
    left = low.free(free_indices(*statement.subscripts))
    old = low.current.get(statement.target)
    shape = low.shape_of(low.tensors[statement.target]) if old is None else low.graph[old].shape
    most = max(_largest(low, expressions), prod(shape))
    return _first(low, statement.subscripts, prod(low.shape(left)), most)


def _first(low: Lowering, subscripts: Sequence[Expression], patch: int, most: int) -> str | None:
    """The outermost axis' own index, if what one round makes is small enough."""
    forms = [find_affine(low, subscript) for subscript in subscripts]
    wide = [set(moving(low, form)) for form in forms if form is not None]
    for subscript in subscripts:
        if isinstance(subscript, IndexValue) and subscript.index not in low.fixed:
            name = subscript.index
            alone = sum(name in names for names in wide) == 1
            if alone and low.extents[name] >= LEAST and patch <= most * low.extents[name]:
                return name
            return None
    return None


def _slides(low: Lowering, read: Read) -> bool:
    forms = [find_affine(low, subscript) for subscript in read.subscripts]
    return any(form is not None and len(moving(low, form)) > 1 for form in forms)


def _largest(low: Lowering, expressions: Sequence[Expression]) -> int:
    names = {read.tensor for expression in expressions for read in reads(expression)}
    return max((low.graph[low.current[name]].size for name in names), default=1)
