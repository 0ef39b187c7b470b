"""Definitions in an order in which each stands behind those that it is made of."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

N = TypeVar("N", bound=Hashable)


def in_order(
    starts: Iterable[N], below: Callable[[N], Iterable[N]]
) -> tuple[list[N], list[tuple[N, ...]]]:
    """What `starts` are made of and they themselves, dependencies first; and the circles.

    A circle lists the nodes that lead back to its first one. No recursion: a chain of
    definitions may be as long as a file.
    """
    done: dict[N, None] = {}
    circles: list[tuple[N, ...]] = []
    for start in starts:
        path: dict[N, Iterator[N]] = {} if start in done else {start: iter(below(start))}
        while path:
            node = next(reversed(path))
            child = next((item for item in path[node] if item not in done), None)
            if child is None:
                del path[node]
                done[node] = None
            elif child in path:
                open_nodes = list(path)
                circles.append(tuple(open_nodes[open_nodes.index(child) :]))
            else:
                path[child] = iter(below(child))
    return list(done), circles
