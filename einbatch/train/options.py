"""How to train: the options of a `train` line, with what overrides them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from typing import cast

from einbatch.diagnostics import EinbatchError, Span, fail
from einbatch.ir import Expression, Program, Value, as_float, evaluate_constant

DEFAULTS: dict[str, int | float] = {"batch": 32, "epochs": 1, "holdout": 0, "seed": 0}


@dataclass(frozen=True, slots=True)
class Options:
    """Examples in a minibatch, rounds over the data, the part held out, the seed."""

    batch: int
    epochs: int
    holdout: float
    seed: int


def resolve_options(
    program: Program,
    constants: Mapping[str, Value],
    extents: Mapping[str, int],
    overrides: Mapping[str, int | float | None],
) -> Options:
    """The options of a program's `train` line; E0803 where one has no sensible value.

    `overrides` are those given elsewhere, None where nothing is.
    """
    values: dict[str, Value] = dict(DEFAULTS)
    places: dict[str, Span] = {}
    line: tuple[tuple[str, Expression], ...] = program.train.options if program.train else ()
    for name, expression in line:
        values[name] = evaluate_constant(expression, constants, extents)
        places[name] = expression.span
    for name, value in overrides.items():
        if value is not None:
            values[name] = _number(name, value)
            places.pop(name, None)
    return Options(
        _integer("batch", values, places, 1),
        _integer("epochs", values, places, 0),
        _fraction("holdout", values, places),
        _integer("seed", values, places, 0),
    )


def _number(name: str, value: object) -> Value:
    """What overrides an option, as a plain number; E0803 where it is none."""
    try:
        return index(cast(int, value))
    except TypeError:
        pass
    try:
        return float("" if isinstance(value, str) else cast(float, value))
    except (TypeError, ValueError):
        raise _unfit(name, value, "a number", {}) from None


def _integer(name: str, values: Mapping[str, Value], places: Mapping[str, Span], least: int) -> int:
    value = values[name]
    if value != value or as_float(value) in (float("inf"), float("-inf")) or int(value) != value:
        raise _unfit(name, value, f"an integer from {least}", places)
    if value < least:
        raise _unfit(name, value, f"an integer from {least}", places)
    return int(value)


def _fraction(name: str, values: Mapping[str, Value], places: Mapping[str, Span]) -> float:
    value = values[name]
    if not 0 <= value < 1:
        raise _unfit(name, value, "a part of the examples, 0 ≤ holdout < 1", places)
    return as_float(value)


def _unfit(name: str, value: object, wanted: str, places: Mapping[str, Span]) -> EinbatchError:
    return fail(
        "E0803",
        f"`{name}` is {str(value)[:80]}, and has to be {wanted}",
        *([(places[name], "set here")] if name in places else []),
        help=f"the default is `{name}={DEFAULTS[name]}`",
    )
