"""The lines that compute a value: one table row for each operation of a plan."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

from einbatch.backends.numpy.writer import Writer
from einbatch.plan.graph import Shape, contiguous, view_attributes
from einbatch.plan.operations import ACCUMULATE, POINTWISE

Lines = list[str]
Emit = Callable[[Writer, int], Lines]
KEYWORD_OUT = frozenset({"maximum", "minimum"})
"""NumPy takes the output of these by keyword only."""


def statements_for(writer: Writer, number: int) -> Lines:
    """The lines of one value; it has a name afterwards."""
    return OPERATIONS[writer.plan.values[number].operation](writer, number)


def _names(writer: Writer, number: int) -> list[str]:
    return [writer.name(argument) for argument in writer.plan.values[number].arguments]


def call(operation: str, arguments: list[str], out: str) -> str:
    """A pointwise operation into `out`."""
    inside = ", ".join(arguments)
    if operation == "erf":
        return f"erf({inside}, {out})"
    if operation in KEYWORD_OUT:
        return f"np.{operation}({inside}, out={out})"
    return f"np.{operation}({inside}, {out})"


def _pointwise(writer: Writer, number: int) -> Lines:
    arguments = _names(writer, number)
    out, lines = writer.define_output(number)
    return [*lines, call(writer.plan.values[number].operation, arguments, out)]


def _where(writer: Writer, number: int) -> Lines:
    condition, consequent, alternative = _names(writer, number)
    out = writer.define(number)
    lines = (
        [] if writer.plan.buffers[number].onto is not None else [f"np.copyto({out}, {alternative})"]
    )
    return [*lines, f"np.copyto({out}, {consequent}, where={condition})"]


def _input(writer: Writer, number: int) -> Lines:
    writer.name(number)
    return []


def _constant(writer: Writer, number: int) -> Lines:
    value = writer.plan.values[number]
    (exact,) = value.attributes
    text = str(bool(exact)) if value.kind == "bool" else _number(exact)
    writer.constant(number, f"np.array({text}, {writer.dtype(value)})")
    return []


def _number(exact: object) -> str:
    assert isinstance(exact, (int, float))
    if math.isfinite(exact):
        return repr(exact)
    return "np.nan" if math.isnan(exact) else ("np.inf" if exact > 0 else "-np.inf")


def _range(writer: Writer, number: int) -> Lines:
    value = writer.plan.values[number]
    writer.constant(number, f"np.arange({value.shape[0]}, dtype={writer.dtype(value)})")
    return []


def _view(writer: Writer, number: int) -> Lines:
    return writer.view(number)


def _copy(writer: Writer, number: int) -> Lines:
    (source,) = _names(writer, number)
    return [f"np.copyto({writer.define(number)}, {source})"]


def _cast(writer: Writer, number: int) -> Lines:
    (source,) = _names(writer, number)
    unsafe = ', casting="unsafe"' if writer.plan.values[number].kind != "float" else ""
    return [f"np.copyto({writer.define(number)}, {source}{unsafe})"]


def _matmul(writer: Writer, number: int) -> Lines:
    left, right = _names(writer, number)
    shape, strides, alpha = writer.plan.values[number].attributes
    assert isinstance(shape, tuple)
    assert isinstance(strides, tuple)
    assert isinstance(alpha, float)
    beta = 0.0
    if number in writer.moved:
        update = writer.moved[number]
        into = writer.plan.values[update]
        writer.alias(update, into.arguments[0])
        _, offset, steps, guards = view_attributes(into, 2)
        place = (update, cast(Shape, shape), cast(Shape, strides), offset, steps, guards)
        out, lines = writer.view_of(*place)
        alpha = -alpha if into.attributes[0] == "-=" else alpha
        beta = 0.0 if into.attributes[0] == "=" else 1.0
    else:
        writer.define(number)
        out, lines = writer.view_of(number, cast(Shape, shape), cast(Shape, strides), 0)
    if alpha == 1 and beta == 0:
        return [*lines, f"np.matmul({left}, {right}, {out})"]
    return [*lines, f"accumulate({out}, {left}, {right}, {alpha!r}, {beta!r})"]


def _accumulate(writer: Writer, number: int) -> Lines:
    base, left, right = _names(writer, number)
    shape, strides, alpha, beta = writer.plan.values[number].attributes
    assert isinstance(shape, tuple)
    assert isinstance(strides, tuple)
    lines = _copied(writer, number, base, writer.define(number))
    out, view = writer.view_of(number, cast(Shape, shape), cast(Shape, strides), 0)
    return [*lines, *view, f"accumulate({out}, {left}, {right}, {alpha!r}, {beta!r})"]


def _reduce(writer: Writer, number: int) -> Lines:
    (source,) = _names(writer, number)
    operation, axes = writer.plan.values[number].attributes
    assert isinstance(axes, tuple)
    axis = axes[0] if len(axes) == 1 else axes
    return [f"np.{operation}.reduce({source}, {axis}, None, {writer.define(number)})"]


def _position(writer: Writer, number: int) -> Lines:
    (source,) = _names(writer, number)
    value = writer.plan.values[number]
    return [f"np.{value.operation}({source}, {value.attributes[0]}, {writer.define(number)})"]


def _take(writer: Writer, number: int) -> Lines:
    source, places = _names(writer, number)
    (axis,) = writer.plan.values[number].attributes
    return [f'np.take({source}, {places}, {axis}, {writer.define(number)}, "clip")']


def _check(writer: Writer, number: int) -> Lines:
    value = writer.plan.values[number]
    (source,) = _names(writer, number)
    check, extent = value.attributes
    writer.alias(number, value.arguments[0])
    return [f"check({check}, {source}, {extent})"]


def _update(writer: Writer, number: int) -> Lines:
    value = writer.plan.values[number]
    if value.arguments[1] in writer.moved:
        return []
    base, new = _names(writer, number)
    operator, shape = value.attributes[:2]
    place = view_attributes(value, 2)
    assert isinstance(operator, str)
    assert isinstance(shape, tuple)
    out = writer.define(number)
    lines = _copied(writer, number, base, out)
    part, view = writer.view_of(number, cast(Shape, shape), *place)
    line = f"np.copyto({part}, {new})"
    if operator != "=":
        line = call(ACCUMULATE[operator], [part, new], part)
    guard, inner = ([f"if {part} is not None:"], "    ") if place[3] else ([], "")
    return [*lines, *view, *guard, f"{inner}{line}"]


def _pick(writer: Writer, number: int) -> Lines:
    found, otherwise = _names(writer, number)
    return [f"np.copyto({writer.define(number)}, {otherwise} if {found} is None else {found})"]


def _pad(writer: Writer, number: int) -> Lines:
    (source,) = _names(writer, number)
    value = writer.plan.values[number]
    fill, before = value.attributes
    assert isinstance(before, tuple)
    shape = writer.plan.values[value.arguments[0]].shape
    steps = contiguous(value.shape)
    offset = sum(start * step for start, step in zip(cast(Shape, before), steps, strict=True))
    out = writer.define(number)
    part, view = writer.view_of(number, shape, steps, offset)
    return [f"np.copyto({out}, {_number(fill)})", *view, f"np.copyto({part}, {source})"]


def _start(writer: Writer, number: int) -> Lines:
    sources, name = _names(writer, number), writer.define(number)
    return _copied(writer, number, sources[0], name) if sources else []


def _alias(writer: Writer, number: int) -> Lines:
    writer.alias(number, writer.plan.values[number].arguments[0])
    return []


def _scatter(writer: Writer, number: int) -> Lines:
    base, *names = _names(writer, number)
    value = writer.plan.values[number]
    (operator,) = value.attributes
    assert isinstance(operator, str)
    lines = _copied(writer, number, base, writer.define(number))
    items = writer.plan.values[value.arguments[2]].shape
    flat = writer.flat(number, items[1] if len(items) == 2 else 1)
    into = "np.put" if operator == "=" else f"np.{ACCUMULATE[operator]}.at"
    if len(names) == 3:
        return [*lines, f"scatter({into}, {flat}, {', '.join(names)})"]
    return [*lines, f"{into}({flat}, {', '.join(names)})"]


def _copied(writer: Writer, number: int, base: str, out: str) -> Lines:
    """The line that brings the earlier value where the new one is made."""
    there = writer.plan.buffers[number].onto is not None or writer.plan.roots[number] != number
    return [] if there else [f"np.copyto({out}, {base})"]


OPERATIONS: dict[str, Emit] = {
    **dict.fromkeys(POINTWISE, _pointwise),
    "where": _where,
    "input": _input,
    "constant": _constant,
    "range": _range,
    "view": _view,
    "copy": _copy,
    "cast": _cast,
    "matmul": _matmul,
    "accumulate": _accumulate,
    "reduce": _reduce,
    "argmax": _position,
    "argmin": _position,
    "take": _take,
    "check": _check,
    "update": _update,
    "scatter": _scatter,
    "scatter_distinct": _scatter,
    "pick": _pick,
    "pad": _pad,
    "start": _start,
    "carry": _alias,
    "exit": _alias,
}
"""How each operation of a plan is written; `tests/backends` holds it complete."""
