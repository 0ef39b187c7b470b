"""The built-in optimizers: their statements for one param, and their settings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import cast

from einbatch.diagnostics import NOWHERE, Span, fail
from einbatch.syntax import nodes as n


@dataclass(frozen=True, slots=True)
class Optimizer:
    """An optimizer's statements for one param `T`, `i` standing for all of its axes.

    A setting without a default (None) has to be given.
    """

    settings: Mapping[str, str | None]
    text: str


PLAIN_SGD = "for i: T[i] -= lr*T.grad[i]"

OPTIMIZERS: dict[str, Optimizer] = {
    # Polyak, "Some methods of speeding up the convergence of iteration methods", 1964.
    "sgd": Optimizer(
        {"lr": None, "momentum": "0"},
        """
state velocity[i] = 0
for i: velocity[i] = momentum*velocity[i] + T.grad[i]
for i: T[i] -= lr*velocity[i]
""",
    ),
    # Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1.
    "adam": Optimizer(
        {"lr": "0.001", "beta1": "0.9", "beta2": "0.999", "eps": "1e-8"},
        """
state moment1[i] = 0
state moment2[i] = 0
for i: moment1[i] = beta1*moment1[i] + (1 - beta1)*T.grad[i]
for i: moment2[i] = beta2*moment2[i] + (1 - beta2)*T.grad[i]^2
for i: T[i] -= lr*(moment1[i]/(1 - beta1^step))/(sqrt(moment2[i]/(1 - beta2^step)) + eps)
""",
    ),
}


SETTINGS = frozenset(name for optimizer in OPTIMIZERS.values() for name in optimizer.settings)
"""Every name that some optimizer has a setting of."""


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
    name: str,
    optimizer: Optimizer,
    given: Sequence[n.Option],
    overrides: Mapping[str, float],
    span: Span,
) -> dict[str, n.Expression]:
    """The expression of each setting: the default, what the line says, what overrides it."""
    values: dict[str, n.Expression] = {
        key: n.Number(text) for key, text in optimizer.settings.items() if text is not None
    }
    for key, place in [*((o.name, o.span) for o in given), *((k, NOWHERE) for k in overrides)]:
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
    values |= {option.name: option.value for option in given}
    values |= {key: number(value) for key, value in overrides.items()}
    for key in optimizer.settings:
        if key not in values:
            raise fail(
                "E0412",
                f"`{name}` needs a value for `{key}`",
                *at(span, "named here"),
                help=f"give it: `{name}({key}=0.1)`",
            )
    return values


def read_setting(name: str, value: object) -> float:
    """A setting that somebody gives from outside the text; E0412 where it is no number."""
    try:
        return float(cast(float, value))
    except (TypeError, ValueError):
        raise fail(
            "E0412", f"`{name}` is {value!r}, which is no setting", help="settings are numbers"
        ) from None


def number(value: float) -> n.Expression:
    """A Python number as the notation writes it."""
    if not math.isfinite(value):
        raise fail("E0412", f"{value} is no setting", help="settings are finite numbers")
    return n.Negate(number(-value)) if value < 0 else n.Number(repr(value))


def _listed(names: Mapping[str, object]) -> str:
    return ", ".join(f"`{name}`" for name in names)
