"""A random program under way: what its text is made of, and the data that it runs on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

ATOM, POWER, PRODUCT, SUM, CONDITIONAL = range(5)


@dataclass(frozen=True)
class Known:
    """A tensor that may be read: the extent of each axis as text (`3`, `B`, `|i|`)."""

    name: str
    axes: tuple[str, ...]
    indices: tuple[str, ...] = ()
    member: str | None = None
    """For a tensor of integers, the extent that they stay below."""
    size: float = 1.5
    """A bound on the magnitude of its elements."""


@dataclass(frozen=True)
class Expr:
    """An expression: how loosely its outermost operator binds, its free indices, a bound on |e|."""

    text: str
    binding: int
    free: frozenset[str]
    size: float


@dataclass
class Case:
    """A program's text, in parts, and what it takes to run it."""

    declarations: list[str] = field(default_factory=list)
    statements: list[str] = field(default_factory=list)
    reports: list[str] = field(default_factory=list)
    objective: str = "loss"
    indices: dict[str, str] = field(default_factory=dict)
    """The extent of each index, as text."""
    sizes: dict[str, int] = field(default_factory=dict)
    """The integer of each extent."""
    given: list[Known] = field(default_factory=list)
    """Inputs and params."""
    params: list[str] = field(default_factory=list)
    draws: list[str] = field(default_factory=list)
    """Those of the given that are random draws, given by whoever runs the program."""
    values: list[Known] = field(default_factory=list)
    finished: list[int | None] = field(default_factory=list)
    """For each value, how many statements there are once it is written; None: never add to it."""
    twins: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of values that are the same, written in two ways."""
    batched: list[str] = field(default_factory=lambda: ["B"])
    """The extents that depend on the batch extent."""
    seed: int = 0

    @property
    def text(self) -> str:
        lines = [*self.declarations, "", *self.statements, "", f"minimize {self.objective}"]
        return "\n".join([*lines, *self.reports, ""])

    def __repr__(self) -> str:
        sizes = ", ".join(f"{name} = {size}" for name, size in self.sizes.items())
        return f"{self.text}# {sizes}; seed {self.seed}"

    def _repr_pretty_(self, printer: object, cycle: bool) -> None:
        printer.text(repr(self))

    def arrays(self) -> dict[str, np.ndarray]:
        """Values for inputs and params: distinct, between 0.05 and 1.5 in magnitude."""
        draws = np.random.default_rng(self.seed)
        shapes = {known.name: tuple(self.sizes[a] for a in known.axes) for known in self.given}
        total = sum(int(np.prod(shape)) for shape in shapes.values())
        grid = draws.permutation(np.linspace(0.05, 1.5, total + 2)) + draws.uniform(-1, 1) / 1000
        signs = draws.choice([-1.0, 1.0], size=grid.size)
        numbers = iter(grid * signs)
        arrays: dict[str, np.ndarray] = {}
        for known in self.given:
            shape = shapes[known.name]
            if known.member is None:
                values = [next(numbers) for _ in range(int(np.prod(shape)))]
                arrays[known.name] = np.array(values).reshape(shape)
            else:
                arrays[known.name] = draws.integers(0, self.sizes[known.member], shape)
        if "training" in self.draws:
            arrays["training"] = np.array(float(draws.integers(0, 2)))
        return arrays

    def is_batched(self, known: Known) -> bool:
        """True where the extent of an axis depends on the batch."""
        return any(axis in self.batched for axis in known.axes)

    def trained(self) -> Case:
        """The same program with updates: of every other param with momentum, else without."""
        lines: list[str] = []
        params = [known for known in self.given if known.name in self.params]
        for n, known in enumerate(params):
            place, own = (access(name, known.indices) for name in (known.name, f"m{known.name}"))
            gradient = access(f"{known.name}.grad", known.indices)
            lines.append(f"state {own} = 0")
            lines.append(f"{own} = {'' if n % 2 else f'0.9*{own} + '}{gradient}")
            lines.append(f"{place} -= 0.1*{own}")
        return replace(self, reports=lines)

    def weighted(self) -> Case:
        """The same program with the objective Σ u·T over all of its values: a random cotangent."""
        taken = [known for known in self.values if known.member is None]
        weights = [Known(f"u{n}", known.axes, known.indices) for n, known in enumerate(taken)]
        lines = [
            f"dot += {access(w.name, w.indices)}*{access(known.name, known.indices)}"
            for w, known in zip(weights, taken, strict=True)
        ]
        return replace(
            self._with_inputs(weights),
            statements=[*self.statements, "dot = 0", *lines],
            reports=[],
            objective="dot",
        )

    def nudged(self) -> Case:
        """The same program with an input `eT` added to each value T once it is written."""
        taken = [
            (known, end)
            for known, end in zip(self.values, self.finished, strict=True)
            if known.member is None and end is not None
        ]
        statements = list(self.statements)
        for known, end in reversed(taken):
            nudge = access(f"e{known.name}", known.indices)
            statements.insert(end, f"{access(known.name, known.indices)} += {nudge}")
        nudges = [Known(f"e{known.name}", known.axes, known.indices) for known, _ in taken]
        return replace(self._with_inputs(nudges), statements=statements)

    def _with_inputs(self, tensors: Sequence[Known]) -> Case:
        lines = [f"input {access(known.name, known.indices)}" for known in tensors]
        return replace(
            self,
            declarations=[*self.declarations, *lines],
            given=[*self.given, *tensors],
        )


def access(name: str, subscripts: Sequence[str]) -> str:
    return f"{name}[{','.join(subscripts)}]" if subscripts else name


def put(expr: Expr, binding: int) -> str:
    """An expression's text where nothing looser than `binding` may stand."""
    return expr.text if expr.binding <= binding else f"({expr.text})"


def numeral(text: str) -> Expr:
    return Expr(text, ATOM, frozenset(), abs(float(text)))


def free_of(parts: Sequence[Expr]) -> frozenset[str]:
    return frozenset().union(*(part.free for part in parts))
