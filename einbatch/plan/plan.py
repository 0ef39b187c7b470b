"""A program with its extents, as a sequence of array operations and where each result lies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from einbatch.diagnostics import NOWHERE, EinbatchError
from einbatch.ir.constants import evaluate_constant
from einbatch.ir.program import (
    Dtype,
    Program,
    Statement,
    Step,
    Tensor,
    statements_of,
)
from einbatch.ir.traverse import reads, written
from einbatch.plan.allowance import ITEM, check_tensors, refuse_peak
from einbatch.plan.allowance import allowance as default_allowance
from einbatch.plan.buffers import Buffer, Memory, assign_buffers
from einbatch.plan.describe import describe
from einbatch.plan.distribute import distribute
from einbatch.plan.graph import Shape, Value
from einbatch.plan.liveness import find_constants, find_last_uses, keep_wanted, roots_of
from einbatch.plan.lowering import Check, Contraction, Lowering
from einbatch.plan.statements import lower_steps

Describe = Callable[[Statement], str]
SHARED = frozenset({"input", "constant", "check", "exit"})
"""Operations whose values lie in memory that is not theirs alone."""


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor that enters or leaves: its name, its value in the plan, its shape."""

    name: str
    value: int
    shape: Shape
    integer: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compute, in which order, and where.

    `inputs` come with each call, in this order; `owned` (with `updates`: the params
    and states) are given once and rewritten in place; `outputs` are what a call
    gives. `origins` names for each value the statement that it comes from, by its
    number in `statements`. `written` are the owned tensors whose last value lies
    elsewhere and is copied at the end.
    """

    dtype: Dtype
    values: tuple[Value, ...]
    origins: tuple[int, ...]
    buffers: tuple[Buffer, ...]
    constant: tuple[bool, ...]
    roots: tuple[int, ...]
    statements: tuple[str, ...]
    targets: tuple[tuple[int, str], ...]
    inputs: tuple[Operand, ...]
    owned: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    written: tuple[Operand, ...]
    checks: tuple[Check, ...]
    contractions: tuple[Contraction, ...]
    arena: int
    peak: int

    def describe(self) -> str:
        """The plan as text: contractions, operations, buffers, memory."""
        return describe(self)


def plan(
    program: Program,
    extents: Mapping[str, int],
    *,
    dtype: Dtype = "float32",
    outputs: Iterable[str] | None = None,
    updates: bool = False,
    allowance: int | None = None,
    describe_statement: Describe | None = None,
) -> Plan:
    """The plan of what `outputs` need (None: every tensor that is written, and reports).

    With `updates`, the update statements and what they need too. `extents` holds the
    integer of every index and of every named extent. EinbatchError E0701 or E0702
    where the memory allowance (in bytes; None: the machine's) would be exceeded.
    """
    extents = _complete(program, extents)
    limit = default_allowance() if allowance is None else allowance
    wanted = _wanted(program, outputs, updates)
    steps = _needed_steps(program, wanted, updates)
    _refuse_tensors(program, steps, extents, dtype, limit)
    low = Lowering(program, extents, dtype)
    start = _enter(low, steps, wanted)
    steps = distribute(low, steps)
    lower_steps(low, steps, 0)
    result = _assemble(low, start, wanted, updates, steps, describe_statement)
    _refuse_peak(result, steps, limit)
    return result


def _complete(program: Program, extents: Mapping[str, int]) -> dict[str, int]:
    """The extents with those of indices that passes have added."""
    known = dict(extents)
    for index in program.indices:
        if index.name not in known:
            known[index.name] = int(evaluate_constant(index.extent, {}, known))
    return known


def _wanted(program: Program, outputs: Iterable[str] | None, updates: bool) -> tuple[str, ...]:
    if outputs is not None:
        return tuple(dict.fromkeys(outputs))
    names = [*written(program.statements), *(report.target for report in program.reports)]
    if updates:
        names += written(program.updates)
    return tuple(dict.fromkeys(names))


def _needed_steps(program: Program, wanted: Iterable[str], updates: bool) -> tuple[Step, ...]:
    """The steps that have a part in what is wanted, in the order in which they run.

    Reports run last; those that read nothing that updates write run before these,
    so that less has to be kept.
    """
    rewritten = set(written(program.updates)) if updates else set[str]()
    late = [report for report in program.reports if _names_read([report]) & rewritten]
    early = [report for report in program.reports if report not in late]
    steps = [*program.statements, *early, *(program.updates if updates else ()), *late]
    needed = {*wanted}
    needed.update(name for name in rewritten if program.tensor(name).kind != "value")
    kept: list[Step] = []
    for step in reversed(steps):
        if needed.intersection(written([step])):
            kept.append(step)
            needed |= _names_read([step])
    return tuple(reversed(kept))


def _names_read(steps: Iterable[Step]) -> set[str]:
    return {
        read.tensor
        for statement in statements_of(tuple(steps))
        for expression in (*statement.subscripts, statement.value)
        for read in reads(expression)
    }


def _refuse_tensors(
    program: Program, steps: tuple[Step, ...], extents: Mapping[str, int], dtype: Dtype, limit: int
) -> None:
    names = _names_read(steps) | set(written(steps))
    tensors = tuple(tensor for tensor in program.tensors if tensor.name in names)
    findings = check_tensors(replace(program, tensors=tensors), extents, dtype, limit)
    if findings:
        raise EinbatchError(findings)


def _enter(low: Lowering, steps: tuple[Step, ...], wanted: tuple[str, ...]) -> dict[str, int]:
    """The inputs, params and states that the steps read or write, as values."""
    names = _names_read(steps) | set(written(steps)) | set(wanted)
    for tensor in low.program.tensors:
        if tensor.kind != "value" and tensor.name in names:
            members = _members(low, tensor)
            kind = "int" if tensor.integer else "float"
            value = Value("input", (), (tensor.name, members), low.shape_of(tensor), kind)
            low.current[tensor.name] = low.graph.add(value)
    return dict(low.current)


def _members(low: Lowering, tensor: Tensor) -> int:
    """The extent that the elements of an `input t[b] in ŷ` are below; 0 of other tensors."""
    return 0 if tensor.member is None else low.extents[tensor.member]


def _assemble(
    low: Lowering,
    start: Mapping[str, int],
    wanted: tuple[str, ...],
    updates: bool,
    steps: tuple[Step, ...],
    describe_statement: Describe | None,
) -> Plan:
    owners = {name for name in start if updates and low.tensors[name].kind in ("param", "state")}
    final = {name: low.current[name] for name in sorted(owners) if low.current[name] != start[name]}
    for name, number in final.items():
        final[name] = _own(low, number)
    overwritten = {start[name] for name in final}
    outputs = {name: _kept(low, low.current[name], overwritten) for name in wanted}
    values, numbers = keep_wanted(low.graph, [*outputs.values(), *final.values()])
    roots = roots_of(values)
    kept = [numbers[number] for number in (*outputs.values(), *final.values())]
    memory = Memory(
        values,
        roots,
        find_last_uses(values, roots, kept),
        find_constants(values),
        {numbers[start[name]]: name for name in sorted(owners) if start[name] in numbers},
        {name: numbers[number] for name, number in final.items()},
        ITEM[low.dtype],
    )
    buffers, arena = assign_buffers(memory)

    def operand(name: str, number: int) -> Operand:
        value = values[number]
        return Operand(name, number, value.shape, value.kind == "int")

    entered = [(name, numbers[number]) for name, number in start.items() if number in numbers]
    copied = [
        name
        for name, number in memory.final.items()
        if buffers[roots[number]].owner != name or roots[number] != number
    ]
    texts = _texts(steps, describe_statement)
    targets = {roots[number]: name for number, name in reversed(_targets(low, numbers))}
    return Plan(
        dtype=low.dtype,
        values=tuple(values),
        origins=tuple(low.graph.origins[old] for old in numbers),
        buffers=buffers,
        constant=tuple(memory.constant),
        roots=tuple(roots),
        statements=texts,
        targets=tuple(sorted(targets.items())),
        inputs=tuple(operand(*pair) for pair in entered if pair[0] not in owners),
        owned=tuple(operand(*pair) for pair in entered if pair[0] in owners),
        outputs=tuple(operand(name, numbers[number]) for name, number in outputs.items()),
        written=tuple(operand(name, memory.final[name]) for name in copied),
        checks=tuple(low.checks),
        contractions=tuple(c for c in low.contractions if c.value in numbers),
        arena=arena,
        peak=_peak(memory, buffers, arena, outputs.values(), numbers),
    )


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
    texts: list[str] = []
    for statement in statements_of(steps):
        if describe_statement is None:
            texts.append(f"{statement.target} {statement.operator} …")
        else:
            texts.append(describe_statement(statement))
    return tuple(texts)


def _targets(low: Lowering, numbers: Mapping[int, int]) -> tuple[tuple[int, str], ...]:
    """The values that are a tensor's, with its name."""
    found: dict[int, str] = {}
    for name, number in low.current.items():
        root = low.graph.layout(number).root
        if root in numbers:
            found.setdefault(numbers[root], name)
    return tuple(sorted(found.items()))


def _peak(
    memory: Memory,
    buffers: tuple[Buffer, ...],
    arena: int,
    outputs: Iterable[int],
    numbers: Mapping[int, int],
) -> int:
    """All bytes in use at once: what enters, the arena, constants, and the results' copies."""
    entering = sum(
        memory.size(number)
        for number, value in enumerate(memory.values)
        if value.operation == "input"
    )
    constants = sum(buffer.size for buffer in buffers if buffer.place == "constant")
    return entering + arena + constants + sum(memory.size(numbers[number]) for number in outputs)


def _refuse_peak(result: Plan, steps: tuple[Step, ...], limit: int) -> None:
    if result.peak <= limit:
        return
    item = ITEM[result.dtype]
    sizes = [
        value.size * item if buffer.place != "alias" else 0
        for value, buffer in zip(result.values, result.buffers, strict=True)
    ]
    largest = sizes.index(max(sizes))
    origin = result.origins[largest]
    statements = list(statements_of(steps))
    step = statements[origin] if origin < len(statements) else None
    name = dict(result.targets).get(largest)
    what = (
        f"tensor `{name}`"
        if name is not None
        else f"an intermediate {result.values[largest].operation}"
    )
    span = step.span if step is not None else NOWHERE
    raise refuse_peak(result.peak, limit, what, sizes[largest], span)
