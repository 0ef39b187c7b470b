"""Which values are wanted, when each is wanted for the last time, and what data never enters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from einbatch.plan.graph import Graph, Value


def keep_wanted(graph: Graph, wanted: Iterable[int]) -> tuple[list[Value], dict[int, int]]:
    """The values that the wanted ones need, renumbered in order; and old numbers to new ones."""
    needed: set[int] = set()
    stack = list(wanted)
    while stack:
        number = stack.pop()
        if number not in needed:
            needed.add(number)
            stack.extend(graph[number].arguments)
    numbers = {old: new for new, old in enumerate(sorted(needed))}
    values = [
        replace(graph[old], arguments=tuple(numbers[a] for a in graph[old].arguments))
        for old in numbers
    ]
    return values, numbers


def roots_of(values: Sequence[Value]) -> list[int]:
    """For each value the one whose memory it is: its own, or what it is a view of."""
    roots: list[int] = []
    for number, value in enumerate(values):
        aliases = value.operation in ("view", "check")
        roots.append(roots[value.arguments[0]] if aliases else number)
    return roots


def find_last_uses(values: Sequence[Value], roots: Sequence[int], kept: Iterable[int]) -> list[int]:
    """For each root the position of its last use; past the end where it is kept."""
    last = list(range(len(values)))
    for position, value in enumerate(values):
        last[roots[position]] = max(last[roots[position]], position)
        for argument in value.arguments:
            last[roots[argument]] = position
    for number in kept:
        last[roots[number]] = len(values)
    return last


def find_constants(values: Sequence[Value]) -> list[bool]:
    """For each value whether it is the same at every call: no input has a part in it."""
    constant: list[bool] = []
    for value in values:
        constant.append(
            value.operation != "input" and all(constant[argument] for argument in value.arguments)
        )
    return constant
