"""What flows into a cotangent from one use of a tensor, and how it is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from einbatch.ir.build import ONE, ZERO, choose, divide, multiply
from einbatch.ir.program import Apply, Expression, Number, Read
from einbatch.ir.traverse import free_indices

Factor = tuple[Literal["*", "/"], Expression]


@dataclass(frozen=True, slots=True)
class Flow:
    """A cotangent on its way into an expression: a sign, factors, the conditions passed.

    `indices` are those that reductions on the way have bound: the flow is one of
    many, and its contributions add up over them.
    """

    factors: tuple[Factor, ...]
    negative: bool = False
    conditions: tuple[tuple[Expression, bool], ...] = ()
    indices: tuple[str, ...] = ()

    def times(self, partial: Expression) -> Flow:
        """The flow multiplied by a local derivative."""
        match partial:
            case Number(value=1):
                return self
            case Apply(primitive="neg", arguments=(inner,)):
                return replace(self, negative=not self.negative).times(inner)
            case Apply(primitive="mul", arguments=factors):
                flow = self
                for factor in factors:
                    flow = flow.times(factor)
                return flow
            case Apply(primitive="div", arguments=(above, below)):
                return self.times(above).over(below)
            case _:
                return replace(self, factors=(*self.factors, ("*", partial)))

    def over(self, divisor: Expression) -> Flow:
        """The flow divided by an expression."""
        return replace(self, factors=(*self.factors, ("/", divisor)))

    def where(self, condition: Expression, taken: bool) -> Flow:
        """The flow into the branch that is taken where the condition holds (or does not)."""
        return replace(self, conditions=(*self.conditions, (condition, taken)))

    def within(self, indices: tuple[str, ...]) -> Flow:
        """The flow into the body of a sum over the indices."""
        return replace(self, indices=(*self.indices, *indices))

    def product(self) -> Expression:
        """The factors as one expression."""
        return chain(self.factors)

    def taken_apart(self, index: str) -> tuple[tuple[Factor, ...], Expression]:
        """The factors that an index does not touch, and the product of the others."""
        inner = tuple(factor for factor in self.factors if index in free_indices(factor[1]))
        outer = tuple(factor for factor in self.factors if factor not in inner)
        return outer, chain(inner) if inner else ONE


@dataclass(frozen=True, slots=True)
class Contribution:
    """A flow that has reached a read."""

    read: Read
    flow: Flow


@dataclass(frozen=True, slots=True)
class Coefficient:
    """The factor c_T/c_O of the batch convention: `above/below`, each an extent or nothing."""

    above: Expression | None = None
    below: Expression | None = None


def written(flow: Flow, coefficient: Coefficient, repeated: tuple[Expression, ...]) -> Expression:
    """The value of a contribution, its sign left out; `repeated` are extents it is added for."""
    factors = list(flow.factors)
    front: list[Factor] = []
    if coefficient.above is not None:
        if ("/", coefficient.above) in factors:
            factors.remove(("/", coefficient.above))
        else:
            front.append(("*", coefficient.above))
    if coefficient.below is not None:
        matching = next((e for e in repeated if e == coefficient.below), None)
        if matching is not None:
            repeated = tuple(e for e in repeated if e is not matching)
        else:
            front.append(("/", coefficient.below))
    times: tuple[Factor, ...] = tuple(("*", extent) for extent in repeated)
    value = chain((*times, *front, *factors))
    for condition, taken in reversed(flow.conditions):
        value = choose(condition, value, ZERO) if taken else choose(condition, ZERO, value)
    return value


def chain(factors: tuple[Factor, ...]) -> Expression:
    """Factors as one expression: `1/B*g*x` from left to right, as it is read."""
    if factors[0][0] == "/":
        factors = (("*", ONE), *factors)
    run = [factors[0][1]]
    for sign, factor in factors[1:]:
        if sign == "*":
            run.append(factor)
        else:
            run = [divide(multiply(*run), factor)]
    return multiply(*run)
