"""Between which integers a value certainly lies."""

from __future__ import annotations

from einbatch.plan.graph import Graph, Value

Bounds = tuple[int, int]


def find_bounds(graph: Graph, number: int, depth: int = 40) -> Bounds | None:
    """The least and greatest integer that a value can be, None where nothing is known."""
    value = graph[number]
    if depth == 0 or value.kind == "float":
        return None
    leaf = _leaf(value)
    if leaf is not None:
        return leaf
    parts = [find_bounds(graph, argument, depth - 1) for argument in value.arguments]
    match value.operation:
        case "view" | "copy" | "take" | "reduce" if value.operation != "reduce" or (
            value.attributes[0] in ("maximum", "minimum")
        ):
            return parts[0]
        case "remainder":
            divisor = parts[1]
            return (0, divisor[1] - 1) if divisor is not None and divisor[0] > 0 else None
        case "where":
            return _union(parts[1], parts[2])
        case _:
            known = [part for part in parts if part is not None]
            if len(known) == 2 and len(parts) == 2:
                return _binary(value.operation, known[0], known[1])
            if value.operation in ("maximum", "minimum") and len(known) == 1:
                return None
            return _unary(value.operation, known[0]) if len(known) == len(parts) == 1 else None


def _leaf(value: Value) -> Bounds | None:
    if value.kind == "bool":
        return (0, 1)
    match value.operation, value.attributes:
        case "constant", (int() as exact,):
            return (exact, exact)
        case "range", _:
            return (0, value.shape[0] - 1)
        case "input", (_, int() as members) if members:
            return (0, members - 1)
        case "check", (_, int() as extent):
            return (0, extent - 1)
        case (("argmax" | "argmin"), (_, int() as extent)):
            return (0, extent - 1)
        case _:
            return None


def _union(a: Bounds | None, b: Bounds | None) -> Bounds | None:
    return None if a is None or b is None else (min(a[0], b[0]), max(a[1], b[1]))


def _unary(operation: str, a: Bounds) -> Bounds | None:
    match operation:
        case "negative":
            return (-a[1], -a[0])
        case "cast":
            return a
        case "absolute":
            return (0, max(abs(a[0]), abs(a[1])))
        case "sign":
            return (-1, 1)
        case _:
            return None


def _binary(operation: str, a: Bounds, b: Bounds) -> Bounds | None:
    match operation:
        case "add":
            return (a[0] + b[0], a[1] + b[1])
        case "subtract":
            return (a[0] - b[1], a[1] - b[0])
        case "multiply":
            corners = [x * y for x in a for y in b]
            return (min(corners), max(corners))
        case "maximum":
            return (max(a[0], b[0]), max(a[1], b[1]))
        case "minimum":
            return (min(a[0], b[0]), min(a[1], b[1]))
        case _:
            return None
