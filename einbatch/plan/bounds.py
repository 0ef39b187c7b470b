"""Between which integers a value certainly lies."""

from __future__ import annotations

from einbatch.ir.constants import LARGEST_INTEGER
from einbatch.plan.graph import Graph, Value

Bounds = tuple[int, int]
MOST_BITS = 64


def find_bounds(graph: Graph, number: int, depth: int = 40) -> Bounds | None:
    """The least and greatest integer that a value can be, None where nothing is known."""
    value = graph[number]
    if depth == 0 or value.kind == "float":
        return None
    leaf = _leaf(value)
    if leaf is not None:
        return leaf
    parts = [find_bounds(graph, argument, depth - 1) for argument in value.arguments]
    sizes = [graph[argument].size for argument in value.arguments]
    return _of(value, parts, sizes)


def find_overflow(graph: Graph) -> tuple[int, Bounds] | None:
    """The first value whose integers may not fit into 64 bits, and what they may be."""
    found: list[Bounds | None] = []
    for number, value in enumerate(graph.values):
        leaf = None if value.kind == "float" else _leaf(value)
        parts = [found[argument] for argument in value.arguments]
        sizes = [graph[argument].size for argument in value.arguments]
        bounds = leaf if leaf or value.kind == "float" else _of(value, parts, sizes)
        if bounds is not None and not -LARGEST_INTEGER <= bounds[0] <= bounds[1] <= LARGEST_INTEGER:
            return number, bounds
        found.append(bounds)
    return None


def _of(value: Value, parts: list[Bounds | None], sizes: list[int]) -> Bounds | None:
    """The bounds of an operation's value by those of its arguments, of so many elements each."""
    match value.operation:
        case "view" | "copy" | "take":
            return parts[0]
        case "reduce":
            count = max(1, sizes[0] // max(1, value.size))
            return _reduced(str(value.attributes[0]), parts[0], count)
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


def _reduced(operation: str, bounds: Bounds | None, count: int) -> Bounds | None:
    """Those of `count` elements combined."""
    if bounds is None or operation in ("maximum", "minimum"):
        return bounds
    least, greatest = bounds
    if operation == "add":
        return (count * min(least, 0), count * max(greatest, 0))
    if operation == "multiply":
        most = max(abs(least), abs(greatest), 1)
        reach = most ** min(count, MOST_BITS)  # beyond these, all that is more than 1 overflows
        return (0 if least >= 0 else -reach, reach)
    return None


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
