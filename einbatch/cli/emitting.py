"""What `plan` and `export` look at: the program that `run` runs, planned for its extents."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping
from typing import NamedTuple

from einbatch.cli.arguments import constants
from einbatch.cli.data import read_data
from einbatch.data import Stored
from einbatch.elaborate import bind_extents, constant_values
from einbatch.ir import Number, Program, Tensor
from einbatch.model.arrays import Array
from einbatch.model.execution import Emitted
from einbatch.model.interpreter import Model
from einbatch.model.load import load
from einbatch.model.restrict import restrict
from einbatch.model.trainer import Updating
from einbatch.train.options import resolve_options


class Planned(NamedTuple):
    """A model, and what a backend made of one step of it (or of its forward statements)."""

    model: Model
    emitted: Emitted


def emit_for(arguments: argparse.Namespace, without: Collection[str] = ()) -> Planned:
    """Plans one update where the program trains, else all of its forward statements.

    `without` names passes that are left out.
    """
    model = load(
        arguments.file,
        set=constants(arguments.set),
        dtype=arguments.dtype,
        data_root=arguments.data_root,
        without=without,
    )
    arrays = read_data(model, arguments.data).inputs
    training = model.front.training
    if training.program.train is not None and training.is_trainable:
        updating = Updating(training, model.execution)
        program, outputs, updates = updating.program, updating.outputs, True
        batch = arguments.batch or _minibatch(model)
    else:
        program, updates, batch = model.front.forward, False, arguments.batch
        outputs = tuple(t.name for t in program.tensors if t.kind == "value")
        program = restrict(program, outputs)
    extents = _extents(model, program, arrays, batch)
    return Planned(model, model.execution.emitted(program, extents, outputs, updates=updates))


def _minibatch(model: Model) -> int:
    program = model.front.training.program
    return resolve_options(program, constant_values(program, {}), {}, {}).batch


def _extents(
    model: Model, program: Program, arrays: Mapping[str, Array | Stored], batch: int | None
) -> dict[str, int]:
    """The extents of the data, a minibatch in place of the whole of it."""
    shapes: dict[str, tuple[int, ...]] = {}
    symbol = program.index(program.batch).extent if program.batch else None
    for tensor in program.of_kind("input"):
        shape = _known_shape(tensor, symbol, batch)
        if shape is None:
            shape = _shape_of_data(model, tensor, arrays)
        if shape is None:
            continue
        whole = zip(tensor.extents, shape, strict=False)
        if batch is not None and len(shape) == len(tensor.extents):
            shape = tuple(batch if extent == symbol else size for extent, size in whole)
        shapes[tensor.name] = shape
    return bind_extents(program, shapes)


def _known_shape(tensor: Tensor, symbol: object, batch: int | None) -> tuple[int, ...] | None:
    """The shape of an input where the program itself and the minibatch fix it."""
    sizes: list[int] = []
    for extent in tensor.extents:
        if extent == symbol and batch is not None:
            sizes.append(batch)
        elif isinstance(extent, Number):
            sizes.append(int(extent.value))
        else:
            return None
    return tuple(sizes)


def _shape_of_data(
    model: Model, tensor: Tensor, arrays: Mapping[str, Array | Stored]
) -> tuple[int, ...] | None:
    if tensor.name in arrays:
        return arrays[tensor.name].shape
    return None if tensor.source is None else model.load_input(tensor).shape
