"""A plan as a Python module that computes it, to be read as well as run."""

from __future__ import annotations

from collections.abc import Sequence

from einbatch.backends.numpy.operations import statements_for
from einbatch.backends.numpy.rounds import Frame
from einbatch.backends.numpy.special import ACCUMULATE, ALIGNED, CHECK, ERF, SCATTER
from einbatch.backends.numpy.writer import Writer, shown
from einbatch.plan.graph import Value
from einbatch.plan.plan import Operand, Plan

WIDTH = 100
HELPERS = {"erf": ERF, "check": CHECK, "scatter": SCATTER, "accumulate": ACCUMULATE}
"""Functions that a module defines where its step calls them."""


def emit(plan: Plan) -> str:
    """The module's text: `bind(owned arrays) -> step`, `step(inputs) -> outputs`.

    Needs nothing but NumPy. What a user typed stands in comments only.
    """
    writer = Writer(plan)
    for operand in (*plan.inputs, *plan.owned):
        writer.name_input(operand)
    step: list[str] = []
    origin = -1
    for number, value in enumerate(plan.values):
        if plan.constant[number]:
            writer.setup += statements_for(writer, number)
            continue
        if value.operation in ("loop", "end"):
            _loop(writer, value, step)
            continue
        lines = statements_for(writer, number)
        into = writer.frames[-1].lines if writer.frames else step
        if lines and plan.origins[number] != origin and value.operation not in ("view", "input"):
            origin = plan.origins[number]
            into.append(f"# {shown(plan.statements[origin])}")
        into += lines
    for operand in plan.written:
        step.append(f"np.copyto({writer.owners[operand.name]}, {writer.name(operand.value)})")
    step.append(_return(writer))
    return _module(writer, step)


def _loop(writer: Writer, value: Value, step: list[str]) -> None:
    """A `for` statement begun, or ended and put where it stands."""
    if value.operation == "loop":
        number, extent, down = value.attributes
        assert isinstance(number, int)
        assert isinstance(extent, int)
        writer.frames.append(Frame(number, extent, bool(down)))
        return
    frame = writer.frames.pop()
    (writer.frames[-1].lines if writer.frames else step).extend(frame.statement())


def _return(writer: Writer) -> str:
    items = [writer.name(operand.value) for operand in writer.plan.outputs]
    return f"return ({', '.join(items)}{',' if len(items) == 1 else ''})" if items else "return ()"


def _module(writer: Writer, step: Sequence[str]) -> str:
    plan = writer.plan
    inputs, owned = (_parameters(writer, group) for group in (plan.inputs, plan.owned))
    lines = [
        '"""Computed with NumPy; written by einbatch.',
        "",
        "`bind` takes the arrays that the module owns and rewrites, C-contiguous, and gives",
        "`step`, which takes the inputs and gives the outputs. Arrays among these stay valid",
        "until the next call.",
        "",
        *_signature("owned", plan.owned, plan, writer),
        *_signature("inputs", plan.inputs, plan, writer),
        f"outputs: {len(plan.outputs)}",
        '"""',
        "",
        "import numpy as np",
        *_helpers(writer, step),
        "",
        f"def bind({owned}):",
        '    """Allocate everything, once."""',
        *(f"    {line}" for line in _arena(plan)),
        *(f"    {line}" for line in writer.buffers),
        '    with np.errstate(all="ignore"):',
        *(f"        {line}" for line in writer.setup or ["pass"]),
        *(f"    {line}" for line in writer.views),
        "",
        f"    def step({inputs}):",
        '        """Compute the outputs."""',
        '        with np.errstate(all="ignore"):',
        *(f"            {line}" for line in step),
        "",
        "    return step",
        "",
    ]
    return "\n".join(lines)


def _parameters(writer: Writer, operands: Sequence[Operand]) -> str:
    return ", ".join(writer.name(operand.value) for operand in operands)


def _signature(title: str, operands: Sequence[Operand], plan: Plan, writer: Writer) -> list[str]:
    lines = [f"{title}: {'' if operands else 'none'}".rstrip()]
    for operand in operands:
        dtype = "int64" if operand.integer else plan.dtype
        shape = ", ".join(map(str, operand.shape))
        lines.append(f"    {writer.name(operand.value)}: {dtype}[{shape}]")
    return lines


def _helpers(writer: Writer, step: Sequence[str]) -> list[str]:
    code = "\n".join([*step, *writer.setup])
    parts = [ALIGNED] if writer.plan.arena else []
    parts += [text for name, text in HELPERS.items() if f"{name}(" in code]
    return "\n".join(parts).splitlines()


def _arena(plan: Plan) -> list[str]:
    return [f"arena = aligned({plan.arena})"] if plan.arena else []
