"""What stands in for NumPy while a step is recorded: the same calls, noted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, cast

import numpy as np

from einbatch.backends.numpy.record import Recorder
from einbatch.plan.operations import ACCUMULATE, POINTWISE

UFUNCS = tuple(sorted((POINTWISE.keys() - {"where", "erf"}) | set(ACCUMULATE.values())))
"""The ufuncs that steps call."""
# Any: arguments are whatever NumPy takes.
Call = Callable[..., Any]


class Noted:
    """A function that is called, but noted instead while a step is recorded."""

    def __init__(self, recorder: Recorder, real: Call, note: Call) -> None:
        self._recorder, self._real, self.note = recorder, real, note

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        call = self.note if self._recorder.is_recording else self._real
        return call(*arguments, **named)


class NotedUfunc(Noted):
    """A ufunc, its reductions and its unbuffered form."""

    def __init__(self, recorder: Recorder, name: str) -> None:
        real = getattr(np, name)
        super().__init__(recorder, real, partial(recorder.pointwise, name))
        self.reduce = Noted(recorder, real.reduce, partial(recorder.reduce, name))
        self.at = Noted(recorder, real.at, partial(recorder.scatter, name))


class NotedNumPy:
    """NumPy, but for the functions that steps call."""

    def __init__(self, recorder: Recorder) -> None:
        notes: dict[str, Call] = {
            "copyto": recorder.copyto,
            "matmul": recorder.matmul,
            "take": recorder.take,
            "put": partial(recorder.scatter, "put"),
            "argmax": partial(recorder.position, "argmax"),
            "argmin": partial(recorder.position, "argmin"),
        }
        for name in UFUNCS:
            setattr(self, name, NotedUfunc(recorder, name))
        for name, note in notes.items():
            setattr(self, name, Noted(recorder, getattr(np, name), note))

    def __getattr__(self, name: str) -> object:
        return getattr(np, name)


def stand_ins(recorder: Recorder, module: Mapping[str, object]) -> dict[str, object]:
    """What to put into a module's namespace, for NumPy and for the helpers that it defines."""

    def scatter(into: Noted, *arguments: Any) -> None:
        into.note(*arguments)

    notes: dict[str, Call] = {
        "erf": recorder.erf,
        "check": recorder.check,
        "scatter": scatter,
        "accumulate": recorder.accumulate,
    }
    helpers = {
        name: Noted(recorder, cast(Call, module[name]), note)
        for name, note in notes.items()
        if name in module
    }
    return {"np": NotedNumPy(recorder), **helpers}
