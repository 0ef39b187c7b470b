"""A program and the arrays of its callers: what every method of a model stands on."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path

from numpy.typing import ArrayLike

from einbatch.autodiff import differentiate
from einbatch.data import Stored
from einbatch.ir import Program, Tensor
from einbatch.ir.program import Dtype
from einbatch.model.arrays import Array, convert
from einbatch.model.draws import EVALUATION, Moment
from einbatch.model.execution import Execution, resolve_dtype
from einbatch.model.front import Front
from einbatch.model.names import check_names, merge_names
from einbatch.model.part import Part
from einbatch.model.sources import Sources
from einbatch.model.trainer import running_states

Inputs = Mapping[str, ArrayLike]


class Basis:
    """A read program, its sources, and how it is run; parts of it are made once."""

    def __init__(
        self,
        front: Front,
        *,
        dtype: str | None = None,
        backend: str = "numpy",
        folder: Path | None = None,
        data_root: str | os.PathLike[str] | None = None,
        without: Collection[str] = (),
    ) -> None:
        self.front = front
        self.program = front.program
        self.tree = front.tree
        self.folder = folder
        self.sources = Sources(front.program, folder, data_root)
        self.dtype: Dtype = resolve_dtype(dtype, front.program)
        self.backend = backend
        self.execution = Execution(backend, self.dtype, without)
        self._forward = tuple(tensor.name for tensor in front.forward.tensors)
        self._names = frozenset(tensor.name for tensor in front.program.tensors)
        given = (*self.inputs, *front.program.of_kind("draw"))
        self._given = tuple(tensor.name for tensor in given)
        self._learned = tuple(tensor.name for tensor in self.learnt)
        self._derived: dict[tuple[tuple[str, ...], bool], Program] = {}
        self._parts: dict[tuple[int, tuple[str, ...]], tuple[Program, Part]] = {}

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs that a caller gives."""
        counters = self.front.counters
        return tuple(t for t in self.program.of_kind("input") if t.name not in counters)

    @property
    def params(self) -> tuple[Tensor, ...]:
        """The trained tensors."""
        return self.program.of_kind("param")

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """By index, the names of the classes that text labels gave: class k is the name k.

        Of what has been read so far: after `fit` on labels from a file, of those.
        """
        return self.sources.classes

    @property
    def learnt(self) -> tuple[Tensor, ...]:
        """The params, and the states that forward statements read: what a model is saved as."""
        names = running_states(self.front.forward)
        return (*self.params, *(self.program.tensor(name) for name in names))

    def _differentiated(self, wrt: tuple[str, ...], raw: bool) -> Program:
        raw = raw or "simplify" in self.execution.without
        key = (wrt, raw)
        if key not in self._derived:
            self._derived[key] = differentiate(self.front.forward, wrt, simplify=not raw)
        return self._derived[key]

    def _part(self, program: Program, names: tuple[str, ...]) -> Part:
        key = (id(program), names)
        if key not in self._parts:
            self._parts[key] = (program, Part(program, names))
        return self._parts[key][1]

    def _values(
        self,
        program: Program,
        names: tuple[str, ...],
        params: Inputs,
        inputs: Inputs,
        moment: Moment = EVALUATION,
    ) -> dict[str, Array]:
        part = self._part(program, names)
        return part.values(self.execution, {**inputs, **params}, self.load_input, moment)

    def _inputs(self, data: Inputs | None, inputs: Inputs) -> dict[str, ArrayLike]:
        given = merge_names(data, inputs)
        check_names(given, self._given, "input", self._names)
        return given

    def _params(self, params: Inputs | None) -> dict[str, ArrayLike]:
        given = merge_names(params)
        check_names(given, self._learned, "param", self._names)
        return given

    def load_input(self, tensor: Tensor) -> Array | Stored:
        """The array that an input's `from` names; read once."""
        return self.sources.load(tensor)

    def _learnt(self, params: Inputs | None, inputs: Inputs) -> dict[str, Array]:
        """The given params, converted, and the states that forward statements read."""
        given = self._params(params)
        tensors = [tensor for tensor in self.learnt if tensor.name in given]
        found = {t.name: convert(t, given[t.name], self.dtype) for t in tensors}
        whole = self._part(self.front.forward, self._forward)
        return {**whole.states(self.dtype, inputs, self.load_input), **found}
