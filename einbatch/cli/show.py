"""Results as text for people, and as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import cast

import numpy as np

from einbatch.elaborate import erase_statement
from einbatch.ir import Program, statements_of
from einbatch.model.arrays import Array
from einbatch.syntax import nodes as n
from einbatch.syntax import unparse

WIDTH = 96


def show_tensors(program: Program, values: Mapping[str, Array]) -> str:
    """Each tensor under its name and indices: `h[b,j] =`, and its elements."""
    labels = _labels(program)
    spellings = dict(program.spellings)
    lines: list[str] = []
    for name, value in values.items():
        label = labels.get(name, spellings.get(name, name))
        text = show_array(value)
        lines.append(f"{label} = {text}" if "\n" not in text else f"{label} =\n{text}")
    return "\n".join(lines)


def show_array(value: Array) -> str:
    """An array's elements as NumPy prints them, the middle of a large one left out."""
    if value.ndim == 0:
        return str(value[()])
    return np.array2string(value, max_line_width=WIDTH, threshold=200, separator=" ")


def _labels(program: Program) -> dict[str, str]:
    """How each tensor is written where it is declared or first assigned."""
    spellings = dict(program.spellings)
    labels: dict[str, str] = {}
    for tensor in program.tensors:
        if tensor.axes:
            axes = ",".join(spellings.get(axis, axis) for axis in tensor.axes)
            labels[tensor.name] = f"{spellings.get(tensor.name, tensor.name)}[{axes}]"
    for statement in statements_of(program.statements):
        tree = erase_statement(program, statement)
        assign = tree.body[0] if isinstance(tree, n.For) else tree
        if isinstance(assign, n.Assign):
            labels.setdefault(statement.target, unparse(assign.target))
    return labels


def show_number(value: float) -> str:
    """A loss or a report with the digits that matter."""
    return f"{value:.4g}" if math.isfinite(value) else str(value)


def show_json(value: object) -> str:
    """One JSON object; NaN and infinity, which JSON does not have, as null."""
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: object) -> object:
    match value:
        case dict():
            items = cast("dict[str, object]", value).items()
            return {key: _plain(item) for key, item in items}
        case list() | tuple():
            return [_plain(item) for item in cast("list[object]", value)]
        case float():
            return float(value) if math.isfinite(value) else None
        case _:
            return value
