"""Extents as a person writes them, in messages."""

from __future__ import annotations

from collections.abc import Callable

from einbatch.diagnostics import EinbatchError, Span, fail
from einbatch.ir import Apply, Constant, Expression, Extent, Number

LONGEST_NUMBER = 24
"""The longest number that is shown whole, in digits."""


def not_an_extent(shown: str, span: Span) -> EinbatchError:
    """The error for a value that is no positive integer."""
    return fail(
        "E0301",
        f"an extent is a positive integer, and this is {shown}",
        (span, "an extent"),
        help=_extent_hint(shown),
    )


def _extent_hint(shown: str) -> str:
    if shown == "0" or shown.startswith("-"):
        return "an index has at least one value: its extent is 1 or more"
    if shown in ("inf", "nan"):
        return "an index has as many values as its extent says: give it a number"
    if shown.endswith(".0") or "e" in shown:
        return "write it as an integer: `1000` or `10^3`, not `1000.0` or `1e3`"
    return "use `floor(…)` where a division may leave a rest"


def show(expression: Expression) -> str:
    """A resolved extent as a person writes it."""
    match expression:
        case Number(value=value):
            return _short(str(value))
        case Extent(name=name) | Constant(name=name):
            return name
        case Apply(primitive=primitive, arguments=arguments):
            parts = [show(argument) for argument in arguments]
            return _SHOWN.get(primitive, _as_call(primitive))(parts)
        case _:
            return "…"


def _short(digits: str) -> str:
    return digits if len(digits) <= LONGEST_NUMBER else f"{digits[:6]}… ({len(digits)} digits)"


def _as_call(primitive: str) -> Callable[[list[str]], str]:
    return lambda parts: f"{primitive}({', '.join(parts)})"


def _grouped(part: str) -> str:
    return f"({part})" if "+" in part or "-" in part else part


_SHOWN: dict[str, Callable[[list[str]], str]] = {
    "add": lambda parts: "+".join(parts).replace("+-", "-"),
    "mul": lambda parts: "*".join(map(_grouped, parts)),
    "div": lambda parts: "/".join(map(_grouped, parts)),
    "pow": "^".join,
    "neg": lambda parts: f"-{parts[0]}",
}
