"""A few lines of the notation as a Python function."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from numpy.typing import ArrayLike

from einbatch.diagnostics import fail
from einbatch.ir import statements_of
from einbatch.model.arrays import Array
from einbatch.model.binding import Known, bind
from einbatch.model.execution import Execution, resolve_dtype
from einbatch.model.front import read_program, text_source
from einbatch.model.names import check_names, fold_names, merge_names
from einbatch.model.restrict import restrict


class Function:
    """Statements, called on arrays: what they read and do not write are the arguments.

    A call gives the last statement's tensor, or the one that `outputs` names, or a
    dict where `outputs` names several.
    """

    def __init__(
        self,
        text: str,
        outputs: str | Collection[str] | None = None,
        *,
        set: Mapping[str, int | float] | None = None,  # noqa: A002 - what callers write
        dtype: str | None = None,
        backend: str = "numpy",
    ) -> None:
        front = read_program(text_source(text), set, implicit_inputs=True)
        self.text = text
        self.program = front.forward
        targets = list(dict.fromkeys(s.target for s in statements_of(self.program.statements)))
        if not targets:
            raise fail(
                "E0621",
                "this text has no statement, so there is nothing to return",
                help='write one: `einbatch.function("y[i] = 2*x[i]")`',
            )
        self.is_single = outputs is None or isinstance(outputs, str)
        self.outputs = fold_names(targets[-1] if outputs is None else outputs)
        check_names(self.outputs, targets, "tensor")
        self.execution = Execution(backend, resolve_dtype(dtype, self.program))
        self._part = restrict(self.program, self.outputs)
        self._known = Known()
        self._names = [t.name for t in self.program.tensors if t.kind != "value"]

    def __call__(
        self, data: Mapping[str, ArrayLike] | None = None, **inputs: ArrayLike
    ) -> Array | dict[str, Array]:
        """The outputs for these arrays, as arrays of the caller's own."""
        given = merge_names(data, inputs)
        check_names(given, self._names, "input")
        bound = bind(self._part, given, self.execution.dtype, known=self._known)
        values = self.execution.run(self._part, bound.arrays, bound.extents, self.outputs)
        return values[self.outputs[0]] if self.is_single else values

    def __repr__(self) -> str:
        return f"einbatch.function({self.text!r})"


def function(
    text: str,
    outputs: str | Collection[str] | None = None,
    *,
    set: Mapping[str, int | float] | None = None,  # noqa: A002 - what callers write
    dtype: str | None = None,
    backend: str = "numpy",
) -> Function:
    """Statements as a function of the tensors that they read and do not write."""
    return Function(text, outputs, set=set, dtype=dtype, backend=backend)
