"""A plan as text."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from einbatch.plan.allowance import show_bytes
from einbatch.plan.liveness import WRITES
from einbatch.plan.operations import FLOPS, POINTWISE

if TYPE_CHECKING:
    from einbatch.plan.graph import Value
    from einbatch.plan.lowering import Contraction
    from einbatch.plan.plan import Plan


def describe(plan: Plan) -> str:
    """Contraction orders and FLOPs for each statement, then the buffers, then memory."""
    loops = _loops(plan)
    parts = [*_statements(plan), "", *loops, *([""] if loops else []), *_buffers(plan), ""]
    return "\n".join([*parts, *_memory(plan)]) + "\n"


def count_rounds(plan: Plan) -> list[int]:
    """For each value how often it is computed: the rounds of all loops around it."""
    rounds: list[int] = []
    stack = [1]
    for value in plan.values:
        if value.operation == "loop":
            extent = value.attributes[1]
            assert isinstance(extent, int)
            stack.append(stack[-1] * extent)
        elif value.operation == "end":
            stack.pop()
        rounds.append(stack[-1])
    return rounds


def _loops(plan: Plan) -> list[str]:
    """Each loop with its rounds and with what one of them takes, inside the one around it."""
    lines: list[str] = []
    depth = 0
    places: list[int] = []
    counts: list[int] = []
    for number, value in enumerate(plan.values):
        if value.operation == "loop":
            places.append(len(lines))
            counts.append(0)
            depth += 1
            lines.append(f"{'  ' * depth}{value.attributes[1]} rounds")
        elif value.operation == "end":
            lines[places.pop()] += f" of {counts.pop()} operations"
            depth -= 1
        elif counts and (plan.buffers[number].place != "alias" or value.operation in WRITES):
            counts[-1] += 1
    return ["loops", *lines] if lines else []


def count_flops(plan: Plan, number: int) -> int:
    """About how many operations on numbers a value takes."""
    value = plan.values[number]
    match value.operation:
        case "matmul" | "accumulate":
            left = plan.values[value.arguments[-2]]
            return 2 * value.size * left.shape[-1]
        case "reduce" | "argmax" | "argmin":
            return plan.values[value.arguments[0]].size
        case "update" | "scatter" | "scatter_distinct":
            return plan.values[value.arguments[-1]].size
        case operation if operation in POINTWISE:
            return value.size * FLOPS.get(operation, 1)
        case _:
            return 0


def flops_of_statements(plan: Plan) -> list[int]:
    """About how many operations on numbers each of the plan's statements takes."""
    flops = [0] * len(plan.statements)
    rounds = count_rounds(plan)
    for number, origin in enumerate(plan.origins):
        if not plan.constant[number]:
            flops[origin] += rounds[number] * count_flops(plan, number)
    return flops


def show_contraction(item: Contraction) -> str:
    """A pairwise step: `[j,i] × [b,i] → [b,j]`."""
    left, right, result = (",".join(axes) for axes in (item.left, item.right, item.result))
    return f"[{left}] × [{right}] → [{result}]"


def given_bytes(plan: Plan) -> int:
    """The bytes of the inputs, params and states that a plan is given."""
    item = 4 if plan.dtype == "float32" else 8
    entering = [*plan.inputs, *plan.owned]
    return sum(prod(operand.shape) * (8 if operand.integer else item) for operand in entering)


def _statements(plan: Plan) -> list[str]:
    lines = ["statements" + " " * 2 + "(contractions in order; operations on numbers)"]
    flops = flops_of_statements(plan)
    rounds = count_rounds(plan)
    for number, text in enumerate(plan.statements):
        lines.append(f"  {one_line(text)}")
        for item in plan.contractions:
            if item.statement == number:
                times = f" × {rounds[item.value]}" if rounds[item.value] > 1 else ""
                lines.append(f"      {show_contraction(item)}  {item.flops:,}{times}")
        lines.append(f"      total {flops[number]:,}")
    lines.append(f"  all statements {sum(flops):,}")
    return lines


def _buffers(plan: Plan) -> list[str]:
    names = dict(plan.targets)
    lines = ["buffers"]
    for number, (value, buffer) in enumerate(zip(plan.values, plan.buffers, strict=True)):
        if buffer.place == "alias" or value.operation == "constant":
            continue
        where = buffer.place
        if buffer.place == "arena":
            where = f"arena at {buffer.offset}"
        if buffer.onto is not None:
            where += ", in place"
        shape = " × ".join(map(str, value.shape)) or "scalar"
        name = names.get(number) or _input_name(value) or f"({value.operation})"
        lines.append(f"  {name:<16} {shape:<20} {value.kind:<6} {where}")
    return lines


def _memory(plan: Plan) -> list[str]:
    return [
        "memory",
        f"  inputs and parameters  {show_bytes(given_bytes(plan))}",
        f"  arena                  {show_bytes(plan.arena)}",
        f"  workspace (estimate)   {show_bytes(plan.workspace)}",
        f"  peak                   {show_bytes(plan.peak)}",
    ]


def _input_name(value: Value) -> str | None:
    return str(value.attributes[0]) if value.operation == "input" else None


def one_line(text: str) -> str:
    """Text of a user's on one line, its control characters made harmless."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(c if c.isprintable() else " " for c in line)
