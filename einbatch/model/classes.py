"""Which tensors speak of classes: those that hold them, and those with a number for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from einbatch.data.predictions import Prediction
from einbatch.ir import IndexValue, Program, Reduce, Statement, statements_of
from einbatch.model.arrays import Array
from einbatch.model.evaluating import is_batched


def with_classes(
    program: Program, values: Mapping[str, Array], names: Mapping[str, Sequence[str]]
) -> dict[str, Prediction]:
    """Predictions with the names of their classes, and the class that they come to.

    `names` has those of an index's classes. A tensor that holds classes (`argmax[k](…)`)
    gets their names for its numbers. A tensor that has a number for each class, on its
    last axis, is followed by the class of the greatest, under the name of the input that
    is declared `in` that index; one such column for each index.
    """
    members = {t.member: t.name for t in program.of_kind("input") if t.member is not None}
    found: dict[str, Prediction] = {}
    for name, value in values.items():
        held, along = _held(program, name), _along(program, name)
        known = tuple(names.get(along or "", ()))
        if held is not None and held in names:
            value = _named(value, names[held])
        found[name] = Prediction(value, is_batched(program, name), known)
        label = None if along is None else members.get(along)
        if label is not None and label not in {*values, *found} and value.shape[-1]:
            best = np.argmax(value, axis=-1)
            found[label] = Prediction(_named(best, known), is_batched(program, name))
    return found


def _named(codes: Array, names: Sequence[str]) -> Array:
    """The name of each class; its number where it has none."""
    if not names or (codes.size and int(codes.max()) >= len(names)):
        return codes
    return np.array(names, np.str_)[codes]


def _held(program: Program, name: str) -> str | None:
    """The index whose values a tensor holds."""
    tensor = program.tensor(name)
    if tensor.member is not None:
        return tensor.member
    match _last_written(program, name):
        case Statement(operator="=", value=Reduce(reduction="argmax" | "argmin", indices=(index,))):
            return index
        case _:
            return None


def _along(program: Program, name: str) -> str | None:
    """The index that a tensor's last axis runs over, where it is written by one."""
    tensor = program.tensor(name)
    if tensor.axes:
        return tensor.axes[-1]
    match _last_written(program, name):
        case Statement(subscripts=(*_, IndexValue(index=index))):
            return index
        case _:
            return None


def _last_written(program: Program, name: str) -> Statement | None:
    steps = [step for step in statements_of(program.statements) if step.target == name]
    return steps[-1] if steps else None
