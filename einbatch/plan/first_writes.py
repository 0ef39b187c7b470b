"""Memory that loops write slot by slot: the first write of a slot assigns, and nothing is filled.

    t[:] = 0                  for s in …:
    for s in …:                   t[:, s] = a[:, s] * b
        t[:, s] += a[:, s] * b

Memory of a scan begins as a number everywhere. Where each round writes a slot of its own,
the first `+=` there finds that number still; and where all slots together are all of it,
and no round reads what none has written, there is nothing to begin with.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import cast

from einbatch.plan.graph import Graph, Loop, Shape, Value, view_attributes
from einbatch.plan.operations import IDENTITY
from einbatch.plan.subscripts import is_injective

ASSIGNED = frozenset({"+=", "*=", "max=", "min="})
"""Operators that leave the new number itself where the old one is their identity."""


@dataclass(frozen=True, slots=True)
class _Slots:
    """The slots of some memory in a loop: its start, what a round begins with, its updates.

    All updates write the same `shape` at these `strides`, from `offset` on and `step`
    elements further each round.
    """

    start: int
    carry: int
    updates: tuple[int, ...]
    loop: Loop
    shape: Shape
    strides: Shape
    offset: int
    step: int

    def versions(self) -> tuple[int, ...]:
        """What the memory holds in a round: at first, and after each update."""
        return (self.carry, *self.updates)

    def are_apart(self) -> bool:
        """True where no element lies in two slots, or twice in one."""
        return is_injective((self.loop.extent, *self.shape), (self.step, *self.strides))

    def rounds_from(self, view: Value) -> int | None:
        """How many slots further a view reads than the round's own; None where it is no slot."""
        strides, offset, steps, _ = view_attributes(view)
        wide = {(n, s) for n, s in zip(view.shape, strides, strict=True) if n > 1}
        own = {(n, s) for n, s in zip(self.shape, self.strides, strict=True) if n > 1}
        further, rest = divmod(offset - self.offset, self.step)
        same = wide <= own and steps == (self.loop.number, self.step) and rest == 0
        return further if same else None


def write_first(graph: Graph) -> list[Value]:
    """The graph's values, such slots assigned and such memory not filled."""
    values = list(graph.values)
    users = _users(values)
    for slots in _find_slots(graph, users):
        if not slots.are_apart():
            continue
        first = values[slots.updates[0]]
        operator = first.attributes[0]
        filling = _filling(values, slots.start)
        if operator in ASSIGNED and filling == IDENTITY[str(operator)]:
            operator = "="
            values[slots.updates[0]] = replace(first, attributes=("=", *first.attributes[1:]))
        covered = operator == "=" and _is_covered(graph, slots)
        if covered and _is_written_before(graph, slots, users):
            values[slots.start] = replace(values[slots.start], arguments=())
    return values


def _users(values: Collection[Value]) -> list[list[int]]:
    users: list[list[int]] = [[] for _ in values]
    for number, value in enumerate(values):
        for argument in value.arguments:
            users[argument].append(number)
    return users


def _find_slots(graph: Graph, users: list[list[int]]) -> Iterator[_Slots]:
    for carry, value in enumerate(graph.values):
        if value.operation != "carry":
            continue
        (start,) = value.arguments
        if graph[start].operation != "start" or users[start] != [carry]:
            continue
        if _filling(graph.values, start) is None:
            continue
        updates = _updates(graph, users, carry)
        slots = None if updates is None else _slots(graph, start, carry, updates)
        if slots is not None:
            yield slots


def _updates(graph: Graph, users: list[list[int]], carry: int) -> tuple[int, ...] | None:
    """The updates of a round, where nothing else writes, and it leaves what they make."""
    updates: list[int] = []
    number = carry
    while graph.backs.get(carry) != number:
        writers = [u for u in users[number] if graph[u].arguments[0] == number]
        following = [u for u in writers if graph[u].operation == "update"]
        if len(following) != 1:
            return None
        (number,) = following
        updates.append(number)
    return tuple(updates) or None


def _slots(graph: Graph, start: int, carry: int, updates: tuple[int, ...]) -> _Slots | None:
    first = graph[updates[0]]
    (number,) = graph[carry].attributes
    assert isinstance(number, int)
    loop = graph.loops[number]
    shape, (strides, offset, steps, guards) = first.attributes[1], view_attributes(first, 2)
    same = all(graph[u].attributes[1:] == first.attributes[1:] for u in updates)
    inside = all(graph.scopes[u] == loop.number for u in updates)
    if not same or not inside or guards or len(steps) != 2 or steps[0] != loop.number:
        return None
    shape = cast(Shape, shape)
    return _Slots(start, carry, updates, loop, shape, strides, offset, steps[1])


def _filling(values: list[Value], start: int) -> float | None:
    """The number that memory holds everywhere at first."""
    source = values[start]
    while source.arguments and source.operation in ("start", "view"):
        source = values[source.arguments[0]]
    number = source.attributes[0] if source.operation == "constant" else None
    return number if isinstance(number, int | float) else None


def _is_covered(graph: Graph, slots: _Slots) -> bool:
    """True where the slots are all of the memory."""
    return prod(slots.shape) * slots.loop.extent == graph[slots.start].size


def _is_written_before(graph: Graph, slots: _Slots, users: list[list[int]]) -> bool:
    """True where a round reads its own slot once it is written, or those of earlier rounds."""
    for version in slots.versions():
        for user in users[version]:
            value = graph[user]
            written = user in slots.updates and value.arguments.index(version) == 0
            if (written and value.arguments.count(version) == 1) or value.operation == "exit":
                continue
            further = slots.rounds_from(value) if value.operation == "view" else None
            if further is None:
                return False
            earlier = further > 0 if slots.loop.down else further < 0
            if not earlier and (further != 0 or version == slots.carry):
                return False
    return True
