"""A lowered program made a plan: what is wanted kept, its memory laid out, its parts named."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from einbatch.ir.program import Statement, Step, statements_of
from einbatch.plan.allowance import ITEM
from einbatch.plan.buffers import Buffer, Memory, assign_buffers
from einbatch.plan.fuse_products import fuse_products
from einbatch.plan.graph import Graph, Value
from einbatch.plan.liveness import find_constants, find_last_uses, keep_wanted, roots_of
from einbatch.plan.lowering import Lowering
from einbatch.plan.plan import Operand, Plan
from einbatch.plan.scaling import fold_scales
from einbatch.plan.workspace import estimate_workspace

Describe = Callable[[Statement], str]
SHARED = frozenset({"input", "constant", "check", "exit"})
"""Operations whose values lie in memory that is not theirs alone."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a lowered program shall give, by the numbers of its graph.

    `start` are the values that entered; `owners` the tensors that the module owns;
    `final` what those hold at the end, where that is something else.
    """

    start: Mapping[str, int]
    owners: frozenset[str]
    outputs: Mapping[str, int]
    final: Mapping[str, int]

    def all(self, graph: Graph) -> tuple[int, ...]:
        """Every value that is needed, those included that are only written over."""
        needed = (*self.outputs.values(), *self.final.values())
        reached, stack = set(needed), list(needed)
        while stack:
            new = [n for n in graph[stack.pop()].arguments if n not in reached]
            reached.update(new)
            stack += new
        starts = (self.start[name] for name in self.final)
        return (*needed, *(start for start in starts if start not in reached))


def find_wanted(
    low: Lowering, start: Mapping[str, int], names: tuple[str, ...], updates: bool
) -> Wanted:
    """The values that the outputs and, with `updates`, params and states end with."""
    kept = ("param", "state")
    owners = [name for name in start if updates and low.tensors[name].kind in kept]
    changed = [name for name in sorted(owners) if low.current[name] != start[name]]
    final = {name: _own(low, low.current[name]) for name in changed}
    overwritten = {start[name] for name in final}
    outputs = {name: _kept(low, low.current[name], overwritten) for name in names}
    return Wanted(start, frozenset(owners), outputs, final)


def scaled_once(low: Lowering, wanted: Wanted) -> Wanted:
    """The same values with their scales folded; `low` then holds the new graph.

    Tensors that nothing sees any more but with a scale are known by another name.
    A program with loops stays as it is.
    """
    if len(low.graph.loops) > 1 or not low.uses("fold_scales"):
        return wanted
    low.graph, numbers, scaled = fold_scales(low.graph, wanted.all(low.graph))
    current = {name: numbers[old] for name, old in low.current.items() if old in numbers}
    for name, old in low.current.items():
        if old in scaled and old not in numbers:
            current[f"{name} scaled"] = scaled[old]
    low.current = current
    known = {**scaled, **numbers}
    low.contractions = [
        replace(item, value=known[item.value]) for item in low.contractions if item.value in known
    ]
    return Wanted(
        start={name: numbers[old] for name, old in wanted.start.items() if old in numbers},
        owners=wanted.owners,
        outputs={name: numbers[old] for name, old in wanted.outputs.items()},
        final={name: numbers[old] for name, old in wanted.final.items()},
    )


def assemble(
    low: Lowering, wanted: Wanted, steps: tuple[Step, ...], describe_statement: Describe | None
) -> Plan:
    """The plan of what is wanted."""
    kept = wanted.all(low.graph)
    values, numbers = keep_wanted(low.graph, kept)
    fused: Mapping[int, int] = {}
    if low.uses("fuse_products"):
        values, left, into = fuse_products(values, {numbers[old] for old in kept})
        fused = {old: into[new] for old, new in numbers.items() if new in into}
        numbers = {old: left[new] for old, new in numbers.items() if new in left}
    origins = {new: low.graph.origins[old] for old, new in numbers.items()}
    memory = _memory(low, wanted, values, numbers)
    buffers, arena = assign_buffers(memory)
    workspace = estimate_workspace(values, memory.item)
    entered = {name: numbers[old] for name, old in wanted.start.items() if old in numbers}
    outputs = {name: numbers[old] for name, old in wanted.outputs.items()}
    inputs = {name: new for name, new in entered.items() if name not in wanted.owners}
    owned = {name: new for name, new in entered.items() if name in wanted.owners}
    return Plan(
        dtype=low.dtype,
        values=tuple(values),
        origins=tuple(origins[new] for new in range(len(values))),
        buffers=buffers,
        constant=tuple(memory.constant),
        roots=tuple(memory.roots),
        statements=_texts(steps, describe_statement),
        targets=_targets(low, numbers, memory.roots),
        inputs=_operands(values, inputs),
        owned=_operands(values, owned),
        outputs=_operands(values, outputs),
        written=_operands(values, _elsewhere(memory, buffers)),
        checks=tuple(low.checks),
        contractions=tuple(
            replace(item, value=found)
            for item in low.contractions
            if (found := fused.get(item.value, numbers.get(item.value))) is not None
        ),
        arena=arena,
        workspace=workspace,
        peak=_arrays(memory, buffers, arena, outputs) + workspace,
        without=low.without,
    )


def _memory(
    low: Lowering, wanted: Wanted, values: list[Value], numbers: Mapping[int, int]
) -> Memory:
    roots = roots_of(values)
    kept = [numbers[old] for old in (*wanted.outputs.values(), *wanted.final.values())]
    start = wanted.start
    return Memory(
        values=values,
        roots=roots,
        last=find_last_uses(values, roots, kept),
        constant=find_constants(values, computed=low.uses("compute_constants")),
        owned={
            numbers[start[name]]: name
            for name in sorted(wanted.owners)
            if start.get(name) in numbers
        },
        final={name: numbers[old] for name, old in wanted.final.items()},
        outputs=frozenset(roots[numbers[old]] for old in wanted.outputs.values()),
        item=ITEM[low.dtype],
        overwrites=low.uses("overwrite"),
        shares=low.uses("share_memory"),
    )


def _operands(values: list[Value], named: Mapping[str, int]) -> tuple[Operand, ...]:
    return tuple(
        Operand(name, number, values[number].shape, values[number].kind == "int")
        for name, number in named.items()
    )


def _elsewhere(memory: Memory, buffers: tuple[Buffer, ...]) -> dict[str, int]:
    """The owned tensors whose last value does not lie in their own memory."""
    return {name: number for name, number in memory.final.items() if buffers[number].owner != name}


def _own(low: Lowering, number: int) -> int:
    """A final value as one with memory of its own, where it is another tensor's or a view."""
    root = low.graph.layout(number).root
    if root == number and low.graph[number].operation not in SHARED:
        return number
    value = low.graph[number]
    return low.graph.add(Value("copy", (number,), (), value.shape, value.kind))


def _kept(low: Lowering, number: int, overwritten: set[int]) -> int:
    """An output as a copy, where it lies in memory that the updates overwrite."""
    if low.graph.layout(number).root not in overwritten:
        return number
    value = low.graph[number]
    return low.graph.add(Value("copy", (number,), (), value.shape, value.kind))


def _texts(steps: tuple[Step, ...], describe_statement: Describe | None) -> tuple[str, ...]:
    return tuple(
        f"{statement.target} {statement.operator} …"
        if describe_statement is None
        else describe_statement(statement)
        for statement in statements_of(steps)
    )


def _targets(
    low: Lowering, numbers: Mapping[int, int], roots: Sequence[int]
) -> tuple[tuple[int, str], ...]:
    """The values in whose memory a tensor lies, with its name."""
    found: dict[int, str] = {}
    for name, number in low.current.items():
        root = low.graph.layout(number).root
        if root in numbers:
            found.setdefault(roots[numbers[root]], name)
    return tuple(sorted(found.items()))


def _arrays(
    memory: Memory, buffers: tuple[Buffer, ...], arena: int, outputs: Mapping[str, int]
) -> int:
    """The bytes of all arrays: what enters, the arena, constants, and the results' copies."""
    entering = sum(
        memory.size(number)
        for number, value in enumerate(memory.values)
        if value.operation == "input"
    )
    constants = sum(buffer.size for buffer in buffers if buffer.place == "constant")
    return entering + arena + constants + sum(map(memory.size, outputs.values()))
