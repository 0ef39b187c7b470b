"""What sets a program from outside its statements: overridden constants, the train line."""

from __future__ import annotations

from difflib import get_close_matches
from numbers import Integral

from einbatch.diagnostics import Span, fail
from einbatch.ir import Apply, Expression, Number
from einbatch.syntax import nodes as tree

TRAIN_OPTIONS = ("batch", "epochs", "holdout", "patience", "seed")
COUNTERS = ("step", "steps")
"""What whoever trains gives: the number of the update, from 1, and the number of all of them."""


def overridden(value: int | float, span: Span) -> Expression:
    """The finite number that a constant is set to from outside, as it is written."""
    number = int(value) if isinstance(value, Integral) else float(value)
    return Number(number, span) if number >= 0 else Apply("neg", (Number(-number, span),), span)


def check_override(name: str, known: list[str]) -> None:
    if name not in known:
        near = get_close_matches(name, known, 1)
        listed = ", ".join(known)
        raise fail(
            "E0210",
            f"there is no constant `{name}` to set",
            help=f"did you mean `{near[0]}`?"
            if near
            else f"constants are declared by `let`: {listed or 'this program has none'}",
        )


def check_option(option: tree.Option) -> None:
    if option.name not in TRAIN_OPTIONS:
        near = get_close_matches(option.name, TRAIN_OPTIONS, 1)
        raise fail(
            "E0413",
            f"`train` has no option `{option.name}`",
            (option.span, "here"),
            help=f"did you mean `{near[0]}`?" if near else f"it has {', '.join(TRAIN_OPTIONS)}",
        )
