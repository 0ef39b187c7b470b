"""An emitted module, loaded: run on a caller's arrays, or bound to arrays of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from sys import getrefcount
from threading import Lock
from typing import cast

import numpy as np
from numpy.typing import NDArray

from einbatch.backends.numpy import native
from einbatch.backends.numpy.replay import Replayed, replayed
from einbatch.diagnostics import EinbatchError, fail
from einbatch.plan.plan import Plan

Array = NDArray[np.generic]
Step = Callable[..., tuple[Array, ...]]
Bind = Callable[..., Step]


def load(source: str, plan: Plan) -> Runner:
    """The module that `emit` wrote of a plan, ready to run."""
    return Runner(source, plan)


class Runner:
    """A plan's module. It keeps its memory: one call at a time, others wait."""

    def __init__(self, source: str, plan: Plan) -> None:
        self._namespace: dict[str, object] = {}
        exec(compile(source, "<einbatch plan>", "exec"), self._namespace)
        self.plan = plan
        self._outside = cast("type[IndexError]", self._namespace.get("Outside", _Never))
        self._lock = Lock()
        self._owned: dict[str, Array] = {}
        self._step: Replayed | None = None
        self._handed: dict[int, Array] = {}

    def describe(self) -> str:
        """How the module's step runs here."""
        return native.describe() if self._is_replayed else native.AS_PYTHON

    @property
    def _is_replayed(self) -> bool:
        return "replay" not in self.plan.without and native.is_available()

    def run(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs, by name, as arrays of the caller's own.

        `arrays` holds the plan's inputs and what it owns, C-contiguous, of the plan's
        shapes and dtypes; none of them is changed. EinbatchError (E0605) where a
        computed subscript is outside its axis.
        """
        with self._lock:
            if self._step is None:
                self._owned = {item.name: arrays[item.name].copy() for item in self.plan.owned}
                self._step = self._bound(self._owned, hands_out=True)
            else:
                for name, own in self._owned.items():
                    np.copyto(own, arrays[name])
            handed = self._hand_out(self._step)
            inputs = [arrays[item.name] for item in self.plan.inputs]
            results = self._call(self._step.run, (*inputs, *handed.values()))
            return {
                item.name: handed[number]
                if number in handed
                else np.array(result, "int64" if item.integer else self.plan.dtype, order="C")
                for number, (item, result) in enumerate(
                    zip(self.plan.outputs, results, strict=True)
                )
            }

    def _hand_out(self, step: Replayed) -> dict[int, Array]:
        """Memory for the free outputs: what was handed out before, if nobody has it any more."""
        for number in step.free:
            # Two references are the dict's and getrefcount's own; a view of it is one more.
            if number not in self._handed or getrefcount(self._handed[number]) > 2:
                self._handed[number] = np.empty_like(step.outputs[number])
        return dict(self._handed)

    def bind(self, params_and_states: Mapping[str, Array]) -> Step:
        """A function of the inputs, in the plan's order, that gives the outputs in theirs.

        The arrays given are rewritten in place by the update statements. Those that come
        out, of which a scalar has no axes, are valid until the next call.
        """
        with self._lock:
            step = self._bound(params_and_states).run
        if self._outside is _Never:
            return step
        return lambda *inputs: self._call(step, inputs)

    def _bound(self, arrays: Mapping[str, Array], *, hands_out: bool = False) -> Replayed:
        owned = [arrays[item.name] for item in self.plan.owned]
        try:
            if self._is_replayed:
                return replayed(self._namespace, self.plan, owned, hands_out=hands_out)
            return Replayed(cast(Bind, self._namespace["bind"])(*owned), (), ())
        except self._outside as error:
            raise self._located(error) from None

    def _call(self, step: Step, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        try:
            return step(*inputs)
        except self._outside as error:
            raise self._located(error) from None

    def _located(self, error: IndexError) -> EinbatchError:
        number, place, value = cast("tuple[int, tuple[int, ...], int]", error.args)
        check = self.plan.checks[number]
        at = ", ".join(f"{name}={k}" for name, k in zip(check.indices, place, strict=True))
        return fail(
            "E0605",
            f"subscript {check.axis + 1} of `{check.tensor}` is {value}, "
            f"outside 0 … {check.extent - 1}",
            (check.span, f"at {at}" if at else "here"),
            help=f"the extent of that axis is {check.extent}; "
            "correct the integers that subscript it",
        )


class _Never(IndexError):
    """What a module without computed subscripts never raises."""
