"""A benchmark as data: its cases, who contends in them, and what is right."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from numpy.typing import NDArray

# Any: contenders give floats of either precision.
Array: TypeAlias = NDArray[Any]

OWN = "einbatch"
"""The contender that all others are compared with."""


class Skipped(Exception):
    """Raised while a contender is made, where it cannot run here; its text is the reason."""


class Case(Protocol):
    """One size, or one piece of work."""

    @property
    def name(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Running:
    """A contender, made ready for a case.

    `step` does the work once and returns when it is done. `results` gives what that
    work has made, by name, to be held against the reference.
    """

    step: Callable[[], object]
    results: Callable[[], Mapping[str, Array]]


@dataclass(frozen=True, slots=True)
class Contender:
    """A name, and what makes it ready for a case, in a process of its own.

    A bound is not a rival: it does a part of the work alone, so it has no results to
    be right, and no ratio is taken against it but the one that says how near it is.
    """

    name: str
    make: Callable[[Any], Running]  # Any: a suite's own kind of case
    is_bound: bool = False


@dataclass(frozen=True, slots=True)
class Suite:
    """A benchmark.

    `module` is where workers find it, as `SUITE`. `reference` is made ready like a
    contender and computes in float64. After `steps(case)` steps each of a contender's
    results may differ from the reference's by `tolerance`, in the Euclidean norm and
    relative to how far the reference has come from its `start` (None: from zero).
    """

    module: str
    title: str
    cases: tuple[Any, ...]  # Any: each suite has its own kind of case
    contenders: tuple[Contender, ...]
    reference: Callable[[Any], Running] | None
    quick: tuple[str, ...]
    start: Callable[[Any], Mapping[str, Array]] | None = None
    steps: Callable[[Any], int] = field(default=lambda case: 1)
    tolerance: float = 1e-3

    def case(self, name: str) -> Case:
        """The case of that name."""
        return next(case for case in self.cases if case.name == name)

    def maker(self, name: str) -> Callable[[Any], Running]:
        """What makes the contender of that name, or `reference`, ready."""
        if name == "reference" and self.reference is not None:
            return self.reference
        return next(item.make for item in self.contenders if item.name == name)
