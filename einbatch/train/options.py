"""How to train: the options of a `train` line, with what overrides them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from operator import index
from typing import cast

from einbatch.diagnostics import EinbatchError, Span, fail
from einbatch.ir import Expression, Program, Value, as_float, evaluate_constant

DEFAULTS = {"batch": 32, "epochs": 1, "holdout": 0, "patience": 0, "seed": 0}


@dataclass(frozen=True, slots=True)
class Options:
    """How to train.

    Examples in a minibatch, and rounds over the data; what is held out, as a part of the
    examples (below 1) or their number; the seed; and how many epochs without a better one
    end the training (0: none).
    """

    batch: int
    epochs: int
    holdout: float
    seed: int
    patience: int = 0


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
        _part("holdout", values, places),
        _integer("seed", values, places, 0),
        _integer("patience", values, places, 0),
    )


def check_holdout(
    program: Program, options: Options, count: int, overrides: Mapping[str, int | float | None]
) -> None:
    """E0803 where so many are held out that none of `count` examples is left to train on."""
    if options.holdout < max(count, 1):
        return
    line = dict(program.train.options if program.train else ())
    said = "holdout" in line and overrides.get("holdout") is None
    raise fail(
        "E0803",
        f"`holdout` is {options.holdout:.0f}, and there are {count} examples: none is left"
        " to train on",
        *([(line["holdout"].span, "set here")] if said else []),
        help="hold out fewer, or a part of them: `holdout=0.2`",
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


def _part(name: str, values: Mapping[str, Value], places: Mapping[str, Span]) -> float:
    value = values[name]
    number = as_float(value)
    if 0 <= number < 1 or (1 <= number < 2**53 and number == int(number)):
        return number
    wanted = "a part of the examples, 0 ≤ holdout < 1, or their number, an integer"
    raise _unfit(name, value, wanted, places)


def _unfit(name: str, value: object, wanted: str, places: Mapping[str, Span]) -> EinbatchError:
    return fail(
        "E0803",
        f"`{name}` is {str(value)[:80]}, and has to be {wanted}",
        *([(places[name], "set here")] if name in places else []),
        help=f"the default is `{name}={DEFAULTS[name]}`",
    )
