"""Where each value lies: in an arena shared by live range, in place, or with the caller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from einbatch.plan.graph import Value, contiguous
from einbatch.plan.operations import POINTWISE

ALIGNMENT = 64
LITTLE = 2**18
"""Bytes that are few enough not to be used again for something of another size."""
BYTES = {"int": 8, "bool": 1}
Place = Literal["arena", "owned", "input", "output", "constant", "alias"]
IN_PLACE_FIRST = frozenset({"update", "scatter", "scatter_distinct", "start", "accumulate"})
NO_MEMORY = frozenset({"loop", "end"})


@dataclass(frozen=True, slots=True)
class Buffer:
    """Where a value lies.

    `arena` at a byte offset; `owned` in the memory of a param or state (`owner`);
    `input` with the caller; `output` in memory of its own, which may be handed out;
    `constant` in memory of its own, filled once; `alias` where another value lies.
    `onto` is the value that it overwrites in place.
    """

    place: Place
    offset: int = 0
    size: int = 0
    owner: str = ""
    onto: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What the assignment of buffers works from."""

    values: Sequence[Value]
    roots: Sequence[int]
    last: Sequence[int]
    constant: Sequence[bool]
    owned: Mapping[int, str]
    """Input values that the module owns, with their tensors."""
    final: Mapping[str, int]
    """For each owned tensor that is written, the value that it shall hold at the end."""
    outputs: frozenset[int]
    """The roots of what is given."""
    item: int
    """The bytes of a number in the program's precision."""
    overwrites: bool = True
    """Whether results may overwrite arguments."""
    shares: bool = True
    """Whether memory is used again."""

    def size(self, number: int) -> int:
        value = self.values[number]
        return value.size * BYTES.get(value.kind, self.item)


def assign_buffers(memory: Memory) -> tuple[tuple[Buffer, ...], int]:
    """A buffer for each value, and the arena's size in bytes."""
    buffers: list[Buffer] = []
    arena = _Arena()
    finals = {number: name for name, number in memory.final.items()}
    dying = _dying(memory)
    homes = _homes(memory)
    holder: dict[int, int] = {}  # arena offset -> the value that holds it now
    held: dict[str, list[int]] = {}  # owned tensor -> the values that have held its memory
    depth = 0
    for number, value in enumerate(memory.values):
        depth += (value.operation == "loop") - (value.operation == "end")
        buffer = _without_arena(memory, number, value)
        if buffer is None:
            buffer = _into_owned(memory, number, finals, held, buffers) or _in_place(
                memory, number, buffers, homes
            )
        if buffer is None and number in homes:
            buffer = Buffer("output", size=memory.size(number))
        if buffer is None:
            size = memory.size(number)
            # In a loop, memory that is rows of one length in each round can be shared by rows.
            alike = depth > 0 and size <= LITTLE
            buffer = Buffer("arena", arena.take(size, alike=alike), size)
        if buffer.place == "arena":
            holder[buffer.offset] = number
        if buffer.place == "owned":
            held.setdefault(buffer.owner, []).append(number)
        buffers.append(buffer)
        for root in dying[number]:
            own = buffers[root]
            if memory.shares and own.place == "arena" and holder[own.offset] == root:
                arena.give(own.offset, own.size)
    return tuple(buffers), arena.top


def _homes(memory: Memory) -> dict[int, int]:
    """For each output, and for what it overwrites in place, that output: they lie together."""
    homes: dict[int, int] = {}
    for output in sorted(memory.outputs):
        number: int | None = output
        while number is not None and number not in homes:
            if _without_arena(memory, number, memory.values[number]) is not None:
                break
            homes[number] = output
            arguments = [
                memory.values[number].arguments[k] for k in _overwritable(memory.values[number])
            ]
            safe = (a for a in arguments if _is_safe(memory, number or 0, a))
            number = next((memory.roots[a] for a in safe), None)
    return homes


def _dying(memory: Memory) -> list[list[int]]:
    """For each position the roots that are used there for the last time."""
    dying: list[list[int]] = [[] for _ in range(len(memory.values) + 1)]
    for number, last in enumerate(memory.last):
        if memory.roots[number] == number:
            dying[last].append(number)
    return dying


def _without_arena(memory: Memory, number: int, value: Value) -> Buffer | None:
    if memory.roots[number] != number or value.operation in NO_MEMORY:
        return Buffer("alias")
    if value.operation == "input":
        owner = memory.owned.get(number)
        return Buffer("input") if owner is None else Buffer("owned", owner=owner)
    if memory.constant[number]:
        return Buffer("constant", size=memory.size(number))
    return None


def _in_place(
    memory: Memory, number: int, buffers: Sequence[Buffer], homes: Mapping[int, int]
) -> Buffer | None:
    """The memory of an argument that is not wanted any more, where overwriting it is safe."""
    for place in _overwritable(memory.values[number]):
        argument = memory.values[number].arguments[place]
        root = memory.roots[argument]
        own = buffers[root]
        if not _is_safe(memory, number, argument) or own.place not in ("arena", "owned", "output"):
            continue
        if homes.get(number) != homes.get(root):
            continue
        if own.place == "owned" and not _may_hold(memory, number, own.owner):
            continue
        return Buffer(own.place, own.offset, own.size, own.owner, onto=argument)
    return None


def _may_hold(memory: Memory, number: int, owner: str) -> bool:
    """True where a tensor's memory may hold a value: its last one, or one dead before that."""
    final = memory.final.get(owner)
    return final is not None and (number == final or memory.last[number] <= final)


def _into_owned(
    memory: Memory,
    number: int,
    finals: Mapping[int, str],
    held: Mapping[str, Sequence[int]],
    buffers: Sequence[Buffer],
) -> Buffer | None:
    """The memory of the tensor whose last value this is, where nobody reads that any more."""
    owner = finals.get(number)
    if owner is None:
        return None
    onto = _in_place(memory, number, buffers, {})
    if onto is not None and onto.owner == owner:
        return onto
    for root in held.get(owner, ()):
        last = memory.last[root]
        if last > number or (last == number and not _reads_in_step(memory, number, root)):
            return None
    return Buffer("owned", owner=owner)


def _reads_in_step(memory: Memory, number: int, root: int) -> bool:
    """True where a pointwise value reads a root only at the element that it writes."""
    value = memory.values[number]
    arguments = [a for a in value.arguments if memory.roots[a] == root]
    return value.operation in POINTWISE and all(
        _is_congruent(memory, number, argument) for argument in arguments
    )


def _overwritable(value: Value) -> tuple[int, ...]:
    if value.operation in IN_PLACE_FIRST:
        return (0,) if value.arguments else ()
    if value.operation == "where":
        return (2,)
    return tuple(range(len(value.arguments))) if value.operation in POINTWISE else ()


def _is_safe(memory: Memory, number: int, argument: int) -> bool:
    """True where an argument dies here and is read only at the element that is written."""
    root = memory.roots[argument]
    if not memory.overwrites or memory.last[root] != number:
        return False
    if not _is_congruent(memory, number, argument):
        return False
    others = [a for a in memory.values[number].arguments if memory.roots[a] == root]
    value = memory.values[number]
    if value.operation in IN_PLACE_FIRST or value.operation == "where":
        return others == [argument]
    return all(other == argument for other in others)


def _is_congruent(memory: Memory, number: int, argument: int) -> bool:
    """True where an argument is a whole root, of the value's own shape, order and kind."""
    value, operand = memory.values[number], memory.values[argument]
    if operand.shape != value.shape or operand.kind != value.kind:
        return False
    if operand.operation != "view":
        return True
    root = memory.values[memory.roots[argument]]
    whole = operand.attributes == (contiguous(operand.shape), 0, (), ())
    return whole and root.size == operand.size


class _Arena:
    """Bytes handed out and taken back; `top` is the most that was ever out."""

    def __init__(self) -> None:
        self.top = 0
        self._free: list[tuple[int, int]] = []  # (offset, size), by offset, never adjacent

    def take(self, size: int, *, alike: bool = False) -> int:
        """An offset for so many bytes: the smallest gap that holds them, else the end.

        With `alike`, a gap that holds more is none.
        """
        size = _rounded(size)
        fitting = [gap for gap in self._free if gap[1] == size or (gap[1] > size and not alike)]
        if fitting:
            offset, width = min(fitting, key=lambda gap: gap[1])
            self._free.remove((offset, width))
            if width > size:
                self._insert(offset + size, width - size)
            return offset
        offset = self.top
        if self._free and not alike and sum(self._free[-1]) == self.top:
            offset = self._free.pop()[0]
        self.top = offset + size
        return offset

    def give(self, offset: int, size: int) -> None:
        """The bytes back."""
        self._insert(offset, _rounded(size))

    def _insert(self, offset: int, size: int) -> None:
        merged: list[tuple[int, int]] = []
        for start, width in self._free:
            if start + width == offset:
                offset, size = start, width + size
            elif offset + size == start:
                size += width
            else:
                merged.append((start, width))
        merged.append((offset, size))
        self._free = sorted(merged)


def _rounded(size: int) -> int:
    return max(ALIGNMENT, -(-size // ALIGNMENT) * ALIGNMENT)
