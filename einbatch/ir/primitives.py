"""The closed table of what a program may compute with: one line a primitive.

Every table that gives primitives a meaning (partials, the loop nest, NumPy, …)
has the same keys; `tests/test_tables.py` holds them to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["number", "condition"]


@dataclass(frozen=True, slots=True)
class Primitive:
    """How many arguments a primitive takes (None: two or more), and what it takes and gives."""

    arity: int | None
    takes: Kind = "number"
    gives: Kind = "number"
    integral: bool = False
    """True where integers in give an integer out."""
    function: bool = False
    """True where a user writes it as a call, by this very name."""


PRIMITIVES: dict[str, Primitive] = {
    "add": Primitive(None, integral=True),
    "mul": Primitive(None, integral=True),
    "neg": Primitive(1, integral=True),
    "div": Primitive(2),
    "pow": Primitive(2),
    "exp": Primitive(1, function=True),
    "log": Primitive(1, function=True),
    "sqrt": Primitive(1, function=True),
    "abs": Primitive(1, integral=True, function=True),
    "sign": Primitive(1, integral=True, function=True),
    "sin": Primitive(1, function=True),
    "cos": Primitive(1, function=True),
    "tan": Primitive(1, function=True),
    "tanh": Primitive(1, function=True),
    "sigmoid": Primitive(1, function=True),
    "relu": Primitive(1, integral=True, function=True),
    "softplus": Primitive(1, function=True),
    "gelu": Primitive(1, function=True),
    "erf": Primitive(1, function=True),
    "floor": Primitive(1, function=True),
    "max": Primitive(2, integral=True, function=True),
    "min": Primitive(2, integral=True, function=True),
    "mod": Primitive(2, integral=True, function=True),
    "clamp": Primitive(3, integral=True, function=True),
    "stop": Primitive(1, integral=True, function=True),
    "eq": Primitive(2, gives="condition"),
    "ne": Primitive(2, gives="condition"),
    "lt": Primitive(2, gives="condition"),
    "le": Primitive(2, gives="condition"),
    "gt": Primitive(2, gives="condition"),
    "ge": Primitive(2, gives="condition"),
    "and": Primitive(None, takes="condition", gives="condition"),
    "or": Primitive(None, takes="condition", gives="condition"),
    "not": Primitive(1, takes="condition", gives="condition"),
    "iverson": Primitive(1, takes="condition", integral=True),
    "select": Primitive(3, integral=True),
}
"""`select(c, a, b)` is `if c then a else b`: a condition, then two numbers.
`iverson(c)` is `[c]`. `floor` always gives an integer. `stop(x)` is x, and lets no
derivative through."""


@dataclass(frozen=True, slots=True)
class Reduction:
    """What a reduction does with its indices."""

    keeps: bool = False
    """True where the value carries the index (softmax)."""
    single: bool = False
    """True where it takes exactly one index."""
    integral: bool = False
    """True where integers in give an integer out."""


REDUCTIONS: dict[str, Reduction] = {
    "sum": Reduction(integral=True),
    "prod": Reduction(),
    "mean": Reduction(),
    "max": Reduction(integral=True),
    "min": Reduction(integral=True),
    "softmax": Reduction(keeps=True),
    "log_softmax": Reduction(keeps=True),
    "logsumexp": Reduction(),
    "argmax": Reduction(single=True),
    "argmin": Reduction(single=True),
}
"""`argmax` and `argmin` always give an integer, the first one at a tie."""

FUNCTIONS = frozenset(name for name, primitive in PRIMITIVES.items() if primitive.function)
"""The names that a user calls with parentheses."""
