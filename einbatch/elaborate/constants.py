"""The constant expressions of a program's declarations, which are all computed once in a check."""

from __future__ import annotations

from collections.abc import Iterator

from einbatch.elaborate.declarations import Declared
from einbatch.ir import Constant, Draw, Elements, Expression, Number, free_indices, reads, walk


def constants_of(declared: Declared) -> Iterator[Expression]:
    """The constant expressions of initial values and of the train line.

    Those of a `let` that has an error are left out: the error is told once.
    """
    known = {let.name for let in declared.lets}
    for value in _constants_of(declared):
        if known.issuperset(node.name for node in walk(value) if isinstance(node, Constant)):
            yield value


def _constants_of(declared: Declared) -> Iterator[Expression]:
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
        settings = (value for _, value in declared.train.settings)
        yield from (value for value in settings if not list(reads(value)))
        yield from (value for _, value in declared.train.options)


def _computed(elements: Elements) -> Iterator[Expression]:
    for item in elements.items:
        if isinstance(item, Elements):
            yield from _computed(item)
        elif not isinstance(item, Number):
            yield item
