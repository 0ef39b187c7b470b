"""Loops: memory that rounds write in place, entered and left."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from einbatch.plan.graph import Kind, Shape, Value
from einbatch.plan.lowering import Lowering


def memory_of(low: Lowering, value: int) -> int:
    """A value in memory of its own, which loops may write; filled anew in each round around."""
    item = low.graph[value]
    own = len(low.graph.values)  # no two are the same, even if they begin as equals
    start = Value("start", (value,), (own,), item.shape, item.kind)
    return low.graph.add(start, max(low.graph.scopes[value], *low.fixed.values(), 0))


def filled(low: Lowering, number: float, shape: Shape, kind: Kind = "float") -> int:
    """The same number everywhere."""
    start = low.cast(low.number(number), kind).value
    return low.graph.view(start, shape, (0,) * len(shape))


def enter(low: Lowering, index: str, down: bool, versions: Sequence[int]) -> tuple[int, list[int]]:
    """A loop over an index, and what memory holds as its rounds begin."""
    parent = max(low.fixed.values(), default=0)
    loop = low.graph.open_loop(index, low.extents[index], down, parent)
    low.fixed = {**low.fixed, index: loop}
    carries = [
        low.graph.add(Value("carry", (v,), (loop,), low.graph[v].shape, low.graph[v].kind), loop)
        for v in versions
    ]
    return loop, carries


def leave(low: Lowering, loop: int, carries: Sequence[int], lasts: Sequence[int]) -> list[int]:
    """The loop closed, and what memory holds after it."""
    graph = low.graph
    own = graph.loops[loop]
    low.fixed = {name: number for name, number in low.fixed.items() if number != loop}
    graph.backs.update(zip(carries, lasts, strict=True))
    graph.close_loop(loop)
    return [
        graph.add(Value("exit", (last,), (loop,), graph[last].shape, graph[last].kind), own.parent)
        for last in lasts
    ]


def repeat(low: Lowering, indices: Sequence[str], version: int, body: Callable[[int], int]) -> int:
    """What memory holds once the body has run for every point of the indices."""
    if not indices:
        return body(version)
    loop, carries = enter(low, indices[0], False, [version])
    last = repeat(low, indices[1:], carries[0], body)
    return leave(low, loop, carries, [last])[0]
