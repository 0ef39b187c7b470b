"""A program and its extents made a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from einbatch.diagnostics import NOWHERE, EinbatchError
from einbatch.ir.constants import evaluate_constant, overflow
from einbatch.ir.program import Dtype, Program, Step, Tensor, statements_of
from einbatch.ir.traverse import written
from einbatch.plan.allowance import ITEM, check_tensors, refuse_peak
from einbatch.plan.allowance import allowance as default_allowance
from einbatch.plan.assemble import Describe, assemble, find_wanted, scaled_once
from einbatch.plan.bounds import find_overflow
from einbatch.plan.distribute import distribute
from einbatch.plan.first_writes import write_first
from einbatch.plan.graph import Value
from einbatch.plan.lowering import Lowering
from einbatch.plan.plan import Plan
from einbatch.plan.selection import names_read, needed_steps, wanted_outputs
from einbatch.plan.statements import lower_steps


def plan(
    program: Program,
    extents: Mapping[str, int],
    *,
    dtype: Dtype = "float32",
    outputs: Iterable[str] | None = None,
    updates: bool = False,
    allowance: int | None = None,
    describe_statement: Describe | None = None,
    without: frozenset[str] = frozenset(),
) -> Plan:
    """The plan of what `outputs` need (None: every tensor that is written, and reports).

    With `updates`, the update statements and what they need too. `without` names passes,
    of planning and of the backend, that are left out. `extents` holds the
    integer of every index and of every named extent. EinbatchError E0701 or E0702
    where the memory allowance (in bytes; None: the machine's) would be exceeded.
    """
    extents = _complete(program, extents)
    limit = default_allowance() if allowance is None else allowance
    names = wanted_outputs(program, outputs, updates)
    steps = needed_steps(program, names, updates)
    _refuse_tensors(program, steps, extents, dtype, limit)
    low = Lowering(program, extents, dtype, without)
    start = _enter(low, steps, names)
    steps = distribute(low, steps) if low.uses("distribute") else steps
    lower_steps(low, steps, 0)
    _refuse_overflow(low, steps)
    wanted = scaled_once(low, find_wanted(low, start, names, updates))
    if low.uses("write_first"):
        low.graph.values = write_first(low.graph)
    result = assemble(low, wanted, steps, describe_statement)
    _refuse_peak(result, steps, limit)
    return result


def _complete(program: Program, extents: Mapping[str, int]) -> dict[str, int]:
    """The extents with those of indices that passes have added."""
    known = dict(extents)
    for index in program.indices:
        if index.name not in known:
            known[index.name] = int(evaluate_constant(index.extent, {}, known))
    return known


def _refuse_tensors(
    program: Program, steps: tuple[Step, ...], extents: Mapping[str, int], dtype: Dtype, limit: int
) -> None:
    names = names_read(steps) | set(written(steps))
    tensors = tuple(tensor for tensor in program.tensors if tensor.name in names)
    findings = check_tensors(replace(program, tensors=tensors), extents, dtype, limit)
    if findings:
        raise EinbatchError(findings)


def _enter(low: Lowering, steps: tuple[Step, ...], wanted: tuple[str, ...]) -> dict[str, int]:
    """The inputs, params and states that the steps read or write, as values."""
    names = names_read(steps) | set(written(steps)) | set(wanted)
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


def _refuse_overflow(low: Lowering, steps: tuple[Step, ...]) -> None:
    """E0626 where integers may come to more than 64 bits hold: they would wrap."""
    found = find_overflow(low.graph)
    if found is None:
        return
    number, bounds = found
    statements, origin = list(statements_of(steps)), low.graph.origins[number]
    statement = statements[origin] if origin < len(statements) else None
    raise overflow(max(bounds, key=abs), NOWHERE if statement is None else statement.span)


def _refuse_peak(result: Plan, steps: tuple[Step, ...], limit: int) -> None:
    arrays = result.peak - result.workspace
    if arrays <= limit:
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
    raise refuse_peak(arrays, limit, what, sizes[largest], span)
