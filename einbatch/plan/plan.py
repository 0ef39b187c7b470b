"""A plan: array operations in order, and where each result lies."""

from __future__ import annotations

from dataclasses import dataclass

from einbatch.ir.program import Dtype
from einbatch.plan.buffers import Buffer
from einbatch.plan.describe import describe
from einbatch.plan.graph import Shape, Value
from einbatch.plan.lowering import Check, Contraction


@dataclass(frozen=True, slots=True)
class Operand:
    """A tensor that enters or leaves: its name, its value in the plan, its shape."""

    name: str
    value: int
    shape: Shape
    integer: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compute, in which order, and where.

    `inputs` come with each call, in this order; `owned` (with `updates`: the params
    and states) are given once and rewritten in place; `outputs` are what a call
    gives. `origins` names for each value the statement that it comes from, by its
    number in `statements`. `written` are the owned tensors whose last value lies
    elsewhere and is copied at the end. `peak` is about how many bytes are in use at
    once: the arrays, and the `workspace` of products, an estimate. `without` are the
    passes that are left out, a backend's own too.
    """

    dtype: Dtype
    values: tuple[Value, ...]
    origins: tuple[int, ...]
    buffers: tuple[Buffer, ...]
    constant: tuple[bool, ...]
    roots: tuple[int, ...]
    statements: tuple[str, ...]
    targets: tuple[tuple[int, str], ...]
    inputs: tuple[Operand, ...]
    owned: tuple[Operand, ...]
    outputs: tuple[Operand, ...]
    written: tuple[Operand, ...]
    checks: tuple[Check, ...]
    contractions: tuple[Contraction, ...]
    arena: int
    workspace: int
    peak: int
    without: frozenset[str]

    def describe(self) -> str:
        """The plan as text: contractions, operations, buffers, memory."""
        return describe(self)
