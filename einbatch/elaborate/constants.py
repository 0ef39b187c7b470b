"""The constant expressions of a program's declarations, which are all computed once in a check."""

from __future__ import annotations

from collections.abc import Iterator

from einbatch.elaborate.declarations import Declared
from einbatch.ir import Draw, Elements, Expression, Number, free_indices


def constants_of(declared: Declared) -> Iterator[Expression]:
    """The constant expressions of initial values and of the train line."""
    for tensor in declared.tensors:
        match tensor.initial:
            case Elements():
                yield from _computed(tensor.initial)
            case Draw(arguments=arguments):
                yield from arguments
            case None:
                pass
            case expression if not free_indices(expression):
                yield expression
            case _:
                pass
    if declared.train is not None:
        yield from (value for _, value in declared.train.settings)
        yield from (value for _, value in declared.train.options)


def _computed(elements: Elements) -> Iterator[Expression]:
    for item in elements.items:
        if isinstance(item, Elements):
            yield from _computed(item)
        elif not isinstance(item, Number):
            yield item
