"""As much of a program as some of its tensors need, computed again and again."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from numpy.typing import ArrayLike

from einbatch.elaborate import bind_extents
from einbatch.ir import Program
from einbatch.ir.program import Dtype
from einbatch.model.arrays import Array
from einbatch.model.binding import Known, Load, bind
from einbatch.model.draws import Moment
from einbatch.model.execution import Execution
from einbatch.model.initial import Initial
from einbatch.model.restrict import restrict
from einbatch.model.trainer import input_shapes


class Part:
    """The part of a program that computes the tensors `names`."""

    def __init__(self, program: Program, names: tuple[str, ...]) -> None:
        self.program = restrict(program, names)
        self.names = names
        self._computed = tuple(n for n in names if self.program.tensor(n).kind == "value")
        self._states = tuple(tensor.name for tensor in self.program.of_kind("state"))
        self._known = Known()

    def values(
        self, execution: Execution, given: Mapping[str, ArrayLike], load: Load, moment: Moment
    ) -> dict[str, Array]:
        """The tensors by name, as arrays of the caller's own, for inputs and params."""
        if self._states:
            given = {**self.states(execution.dtype, given, load), **given}
        bound = bind(self.program, given, execution.dtype, load, moment, self._known)
        values = execution.run(self.program, bound.arrays, bound.extents, self._computed)
        return {
            name: values[name] if name in values else bound.arrays[name].copy()
            for name in self.names
        }

    def states(self, dtype: Dtype, given: Mapping[str, ArrayLike], load: Load) -> dict[str, Array]:
        """States that forward statements read: at their start, outside training."""
        if not self._states:
            return {}
        extents = bind_extents(self._alone, input_shapes(self._alone, given, load))
        initial = Initial(self.program, extents, 0, dtype)
        return {name: initial.array(self.program.tensor(name)) for name in self._states}

    @cached_property
    def _alone(self) -> Program:
        """What the states' extents need."""
        return restrict(self.program, self._states)
