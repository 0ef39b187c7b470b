"""The pointwise operations of a plan, and what kind of number each gives."""

from __future__ import annotations

from einbatch.plan.graph import Kind

POINTWISE: dict[str, Kind | None] = {
    "add": None,
    "subtract": None,
    "multiply": None,
    "divide": "float",
    "negative": None,
    "power": "float",
    "square": None,
    "exp": "float",
    "log": "float",
    "log1p": "float",
    "sqrt": "float",
    "absolute": None,
    "sign": None,
    "sin": "float",
    "cos": "float",
    "tan": "float",
    "tanh": "float",
    "erf": "float",
    "floor": "float",
    "maximum": None,
    "minimum": None,
    "remainder": None,
    "equal": "bool",
    "not_equal": "bool",
    "less": "bool",
    "less_equal": "bool",
    "greater": "bool",
    "greater_equal": "bool",
    "logical_and": "bool",
    "logical_or": "bool",
    "logical_not": "bool",
    "where": None,
}
"""None: the kind of the arguments (of `where`, of the last; of a product with a
condition, of the other). Their names are NumPy's, as are their meanings."""

COMMUTATIVE = frozenset(
    {"add", "multiply", "maximum", "minimum", "equal", "not_equal", "logical_and", "logical_or"}
)
FLOPS = {"exp": 10, "log": 10, "tanh": 10, "sin": 10, "cos": 10, "erf": 20, "power": 20}
"""About how many operations a rarer function takes for each element; all others, 1."""

IDENTITY = {"=": 0.0, "+=": 0.0, "-=": 0.0, "*=": 1.0, "max=": -float("inf"), "min=": float("inf")}
"""What an accumulation starts from."""

ACCUMULATE = {
    "+=": "add",
    "-=": "subtract",
    "*=": "multiply",
    "max=": "maximum",
    "min=": "minimum",
}
"""The operation of each operator."""
