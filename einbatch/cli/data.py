"""`--data` and `--load`: arrays for inputs and params."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from einbatch.cli.arguments import binding
from einbatch.data import Stored, load_params
from einbatch.diagnostics import fail
from einbatch.model.arrays import Array, missing
from einbatch.model.interpreter import Model
from einbatch.model.names import check_names
from einbatch.syntax.spelling import key_of


@dataclass(slots=True)
class Given:
    """Arrays by name, as files hold them, and which files."""

    inputs: dict[str, Array | Stored] = field(default_factory=dict[str, "Array | Stored"])
    params: dict[str, Array] = field(default_factory=dict[str, Array])
    sources: dict[str, str] = field(default_factory=dict[str, str])


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


def read_params(model: Model, given: Given, path: str | None, seed: int) -> dict[str, Array] | None:
    """The params of `--load`, else those drawn; then those that `--data` binds.

    None where neither option is used: then whoever runs the program draws them.
    """
    if path is None and not given.params:
        return None
    if path is None:
        params = model.init(seed, data=given.inputs)
    else:
        params = {key_of(name): array for name, array in load_params(path).items()}
        check_names(params, [tensor.name for tensor in model.params], "param")
        for tensor in model.params:
            if tensor.name not in {**params, **given.params}:
                raise missing(tensor)
    return {**params, **given.params}
