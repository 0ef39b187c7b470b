"""Which values are wanted, when each is wanted for the last time, and what data enters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from einbatch.plan.graph import Graph, Value

NEVER_CONSTANT = frozenset({"input", "start", "loop", "end"})
GIVEN = frozenset({"constant", "range", "view"})
"""Constants that take no computing, and views of them."""


ALIASES = frozenset({"view", "check", "carry", "exit"})
"""What has no memory of its own: it lies where its first argument does."""
WRITES = frozenset({"update", "scatter", "scatter_distinct"})


def keep_wanted(graph: Graph, wanted: Iterable[int]) -> tuple[list[Value], dict[int, int]]:
    """The values that the wanted ones need, in order; and old numbers to new ones."""
    needed: set[int] = set()
    stack = list(wanted)
    while stack:
        number = stack.pop()
        if number not in needed:
            needed.add(number)
            stack.extend(graph[number].arguments)
            if number in graph.backs:
                stack.append(graph.backs[number])
    inside = {graph.scopes[number] for number in needed}
    for loop in reversed(graph.loops):
        if loop.number in inside:
            inside.add(loop.parent)
    kept = [
        number
        for number in graph.in_order()
        if number in needed
        or (graph[number].operation in ("loop", "end") and graph[number].attributes[0] in inside)
    ]
    numbers = {old: new for new, old in enumerate(kept)}
    values = [
        replace(graph[old], arguments=tuple(numbers[a] for a in graph[old].arguments))
        for old in kept
    ]
    return values, numbers


def roots_of(values: Sequence[Value]) -> list[int]:
    """For each value the one whose memory it is: its own, or what it lies in."""
    roots: list[int] = []
    carried: dict[int, int] = {}  # what loops write in place, with what the round began with
    for number, value in enumerate(values):
        before = carried.get(value.arguments[0]) if value.arguments else None
        if value.operation == "carry":
            carried[number] = number
        elif value.operation in WRITES and before is not None:
            carried[number] = before
        elif value.operation == "exit":
            began = carried[value.arguments[0]]
            around = carried.get(values[began].arguments[0])
            if around is not None:
                carried[number] = around
        aliases = value.operation in ALIASES or number in carried
        roots.append(roots[value.arguments[0]] if aliases else number)
    return roots


def find_last_uses(values: Sequence[Value], roots: Sequence[int], kept: Iterable[int]) -> list[int]:
    """For each root the position of its last use; past the end where it is kept.

    What enters a loop is in use until the last round ends.
    """
    last = list(range(len(values)))
    ends = _ends(values)
    for position, value in enumerate(values):
        for used in (position, *value.arguments):
            root = roots[used]
            place = position
            for start, end in ends[position]:
                if root < start:
                    place = end
                    break
            last[root] = max(last[root], place)
    for number in kept:
        last[roots[number]] = len(values)
    return last


def _ends(values: Sequence[Value]) -> list[list[tuple[int, int]]]:
    """For each position where the loops around it begin and end, the outermost first."""
    spans: dict[int, tuple[int, int]] = {}
    begins: list[int] = []
    for position, value in enumerate(values):
        if value.operation == "loop":
            begins.append(position)
        elif value.operation == "end":
            begin = begins.pop()
            spans[begin] = (begin, position)
    around: list[list[tuple[int, int]]] = []
    stack: list[tuple[int, int]] = []
    for position, value in enumerate(values):
        if value.operation == "loop":
            stack.append(spans[position])
        around.append(list(stack))
        if value.operation == "end":
            stack.pop()
    return around


def find_constants(values: Sequence[Value], *, computed: bool = True) -> list[bool]:
    """For each value whether it is the same at every call: no input has a part in it.

    In a loop, only a view can be. Without `computed`, none that takes computing.
    """
    constant: list[bool] = []
    depth = 0
    for value in values:
        depth += (value.operation == "loop") - (value.operation == "end")
        never = value.operation in NEVER_CONSTANT or (depth > 0 and value.operation != "view")
        never = never or not (computed or value.operation in GIVEN)
        constant.append(not never and all(constant[argument] for argument in value.arguments))
    return constant
