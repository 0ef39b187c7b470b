"""The settings of an optimizer: its defaults, what the `train` line says, what overrides it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import cast

from einbatch.diagnostics import NOWHERE, EinbatchError, Source, Span, fail
from einbatch.elaborate.settings import COUNTERS
from einbatch.ir import Expression, Program, Value, as_float, evaluate_constant
from einbatch.syntax import nodes as n
from einbatch.syntax import parse
from einbatch.syntax.traverse import walk
from einbatch.train.recipes import OPTIMIZERS, Optimizer

Overrides = Mapping[str, n.Expression]


@dataclass(frozen=True, slots=True)
class Settings:
    """The expression of each setting, and its value where that is known before any data come."""

    expressions: Mapping[str, n.Expression]
    values: Mapping[str, float]

    def has(self, name: str) -> bool:
        """False for a setting that is known to be 0, or that the optimizer does not have."""
        return name in self.expressions and self.values.get(name) != 0


def at(span: Span, text: str) -> list[tuple[Span, str]]:
    """A place to show, where there is one."""
    return [] if span is NOWHERE else [(span, text)]


def resolve_optimizer(name: str, span: Span) -> Optimizer:
    """The optimizer of that name; E0412 where there is none."""
    found = OPTIMIZERS.get(name) if isinstance(name, str) else None  # pyright: ignore[reportUnnecessaryIsInstance] - callers are not typed
    if found is None:
        near = get_close_matches(str(name), OPTIMIZERS, 1)
        raise fail(
            "E0412",
            f"there is no optimizer `{name}`",
            *at(span, "named here"),
            help=f"did you mean `{near[0]}`?" if near else f"there are {_listed(OPTIMIZERS)}",
        )
    return found


def resolve_settings(
    name: str, program: Program, given: Sequence[n.Option], overrides: Overrides, span: Span
) -> Settings:
    """The settings of an optimizer; E0412 where one is unknown, missing or no sensible flag."""
    optimizer = resolve_optimizer(name, span)
    expressions: dict[str, n.Expression] = {
        key: n.Number(text) for key, text in optimizer.settings.items() if text is not None
    }
    places = {**{option.name: option.span for option in given}, **dict.fromkeys(overrides, NOWHERE)}
    for key, place in places.items():
        if key not in optimizer.settings:
            near = get_close_matches(key, optimizer.settings, 1)
            raise fail(
                "E0412",
                f"`{name}` has no setting `{key}`",
                *at(place, "set here"),
                help=f"did you mean `{near[0]}`?"
                if near
                else f"it has {_listed(optimizer.settings)}",
            )
    expressions |= {option.name: option.value for option in given}
    expressions |= overrides
    for key in optimizer.settings:
        if key not in expressions:
            raise fail(
                "E0412",
                f"`{name}` needs a value for `{key}`",
                *at(span, "named here"),
                help=f"give it: `{name}({key}=0.1)`",
            )
    written = {option.name for option in given} - set(overrides)
    settings = Settings(expressions, _values(program, expressions, written))
    _check_flags(name, optimizer, settings, places)
    return settings


def _values(
    program: Program, expressions: Mapping[str, n.Expression], written: set[str]
) -> dict[str, float]:
    """The settings that are known before any data come: numbers, and what `let`s come to."""
    values = {
        key: float(expression.text)
        for key, expression in expressions.items()
        if isinstance(expression, n.Number)
    }
    constants: dict[str, Value] = {}
    line = program.train.settings if program.train is not None else ()
    for let in program.lets:
        _evaluate_into(constants, let.name, let.value, constants)
    found: dict[str, Value] = {}
    for key, expression in line:
        if key in written:
            _evaluate_into(found, key, expression, constants)
    return values | {key: as_float(value) for key, value in found.items()}


def _evaluate_into(
    found: dict[str, Value], key: str, value: Expression, constants: Mapping[str, Value]
) -> None:
    with suppress(KeyError, EinbatchError):  # what only data or the number of the step fix
        found[key] = evaluate_constant(value, constants, {})


def _check_flags(
    name: str, optimizer: Optimizer, settings: Settings, places: Mapping[str, Span]
) -> None:
    for flag in optimizer.flags:
        if settings.values.get(flag) not in (0, 1):
            raise fail(
                "E0412",
                f"`{flag}` is 0 or 1, known before the training starts",
                *at(places.get(flag, NOWHERE), "set here"),
                help=f"write `{flag}=1`, or leave it out",
            )
    if settings.has("nesterov") and not settings.has("momentum"):
        raise fail(
            "E0412",
            f"`{name}` has no momentum for `nesterov` to look ahead with",
            *at(places.get("nesterov", NOWHERE), "asked for here"),
            help="give it some: `momentum=0.9`",
        )


def read_setting(program: Program, name: str, value: object) -> n.Expression:
    """A setting from outside the program: a number, or an expression of its names as a text.

    Raises E0412 where it is neither.
    """
    if isinstance(value, str):
        return _read_expression(program, name, value)
    try:
        return number(float(cast(float, value)))
    except (TypeError, ValueError):
        raise fail(
            "E0412",
            f"`{name}` is {value!r}, which is no setting",
            help='settings are numbers, or expressions: `0.1`, `"0.1*min(1, step/500)"`',
        ) from None


def _read_expression(program: Program, name: str, text: str) -> n.Expression:
    tree = parse(Source(f"<{name}>", f"train of({name}={text})\n"))
    match tree.statements:
        case (n.Train(settings=(n.Option(name=found, value=value),), options=()),) if found == name:
            pass
        case _:
            raise fail(
                "E0412",
                f"`{name}` is {text!r}, which is more than one expression",
                help='write one: `"0.1*min(1, step/500)"`',
            )
    items = (*program.lets, *program.tensors, *program.indices)
    known = {*COUNTERS, "pi", "inf", *(item.name for item in items), *dict(program.extents)}
    for part in walk(value):
        if isinstance(part, n.Name) and part.identifier.key not in known:
            key = part.identifier.key
            near = get_close_matches(key, sorted(known), 1)
            raise fail(
                "E0412",
                f"`{name}` is {text!r}, which is no setting: the program has no `{key}`",
                help=f"did you mean `{near[0]}`?"
                if near
                else 'settings are numbers, or expressions: `0.1`, `"0.1*min(1, step/500)"`',
            )
    return value


def number(value: float) -> n.Expression:
    """A Python number as the notation writes it."""
    if not math.isfinite(value):
        raise fail("E0412", f"{value} is no setting", help="settings are finite numbers")
    return n.Negate(number(-value)) if value < 0 else n.Number(repr(value))


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(f"`{name}`" for name in names)
