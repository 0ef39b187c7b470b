"""`--data` and `--load`: arrays for inputs and params."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from einbatch.cli.arguments import binding, constants
from einbatch.data import Stored, load_classes, load_params
from einbatch.diagnostics import fail
from einbatch.model.arrays import Array, missing
from einbatch.model.interpreter import Model
from einbatch.model.load import load
from einbatch.model.names import check_names
from einbatch.syntax.spelling import key_of


@dataclass(slots=True)
class Given:
    """Arrays by name, as files hold them, and which files."""

    inputs: dict[str, Array | Stored] = field(default_factory=dict[str, "Array | Stored"])
    params: dict[str, Array] = field(default_factory=dict[str, Array])
    sources: dict[str, str] = field(default_factory=dict[str, str])


def load_model(arguments: argparse.Namespace) -> Model:
    """The model of FILE, its warnings printed; it knows the classes of `--load`."""
    model = load(
        arguments.file,
        set=constants(arguments.set),
        dtype=arguments.dtype,
        backend=arguments.backend,
        data_root=arguments.data_root,
    )
    for warning in model.warnings:
        print(warning, file=sys.stderr)
    if arguments.load is not None:
        model.sources.adopt(load_classes(arguments.load))
    return model


def read_data(model: Model, bindings: Sequence[str]) -> Given:
    """What `--data` names; a later one wins. Arrays that a whole file has over are left out."""
    inputs = [tensor.name for tensor in model.inputs]
    params = [tensor.name for tensor in model.params]
    known = (*inputs, *params)
    arrays: dict[str, Array | Stored] = {}
    given = Given()
    for text in bindings:
        name, reference = binding(text)
        if name is not None:
            check_names((key_of(name),), known, "input or param")
            given.sources[key_of(name)] = reference
            arrays[key_of(name)] = model.sources.read(key_of(name), reference)
            continue
        found = model.sources.read_all(Path(reference), known)
        if "" in found:
            raise fail(
                "E0806",
                f"`{reference}` holds one array without a name",
                help=f"say which tensor it is: `--data NAME={reference}`",
            )
        arrays |= {key: array for key, array in found.items() if key in known}
        given.sources |= dict.fromkeys(found, reference)
    given.inputs = {name: array for name, array in arrays.items() if name in inputs}
    given.params = {name: np.asarray(array) for name, array in arrays.items() if name in params}
    return given


def read_params(
    model: Model,
    given: Given,
    path: str | None,
    seed: int | None,
    mapping: Sequence[str] = (),
) -> dict[str, Array] | None:
    """The params of `--load`, else those drawn; then those that `--data` binds.

    None where neither option is used: then whoever runs the program draws them. Without
    a seed nothing is drawn. With a mapping, what the file has besides is left there.
    """
    if path is None and (seed is None or not given.params):
        return None if seed is not None else given.params
    if path is None:
        params = model.init(seed or 0, data=given.inputs)
    else:
        read = load_params(path, map=mapping)
        params = {key_of(name): array for name, array in read.items()}
        known = [tensor.name for tensor in model.learnt]
        if mapping:
            params = {name: array for name, array in params.items() if name in known}
        check_names(params, known, "param")
        for tensor in model.params:
            if tensor.name not in {**params, **given.params}:
                raise missing(tensor)
    return {**params, **given.params}
