"""What a program is made of: which constructs of the language occur in it, by name."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np

from einbatch.elaborate.affine import affine_form, integer_of
from einbatch.ir import (
    Apply,
    Draw,
    Expression,
    Extent,
    IndexValue,
    Number,
    Program,
    Read,
    Reduce,
    Scan,
    Statement,
    Step,
    reads,
    statements_of,
    walk,
)
from tests.random_case import Case

COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})
SUBSCRIPTS = ("bare", "constant", "offset", "extent offset", "stride", "reversed", "window")
SUBSCRIPTS += ("dilated window", "mod", "clamp", "gathered")
CONSTRUCTS = (
    *(f"{kind} read" for kind in (*SUBSCRIPTS, "computed")),
    *(f"{kind} write" for kind in SUBSCRIPTS if kind != "dilated window"),
    *(f"else a {kind}" for kind in ("number", "read", "condition", "guarded read")),
    *(f"guarded {kind} write" for kind in ("=", "+=", "-=", "*=", "max=", "min=")[1:]),
    *("gather from a param", "scatter", "scatter with duplicates", "guarded gather"),
    *("parts joined", "diagonal read", "diagonal write"),
    *("scan up", "scan down", "scan in a scan", "scan over two indices", "scan over depth"),
    *("scan with a sum", "scan of several tensors", "read two rounds back"),
    *("statements around a scan in a scan", "value before its scan", "gather in a scan"),
    *("window in a scan", "reduction over the index of the scan"),
    *("condition on indices", "index as a number", "extent as a number", "branches"),
    *("bernoulli", "normal", "uniform", "training", "stop"),
    *("definition", "definition of a definition", "layer", "capital slice"),
)


def constructs(case: Case, program: Program) -> set[str]:
    """The names of all that occurs in a program."""
    found = set(_of_text(case))
    found.update(_of_steps(program, program.statements, ()))
    for tensor in program.tensors:
        if tensor.kind == "draw" and isinstance(tensor.initial, Draw):
            found.add(tensor.initial.distribution)
    for statement in statements_of(program.statements):
        found.update(_of_statement(program, statement))
        found.update(_of_duplicates(case, program, statement))
    found.update(_joined(program))
    return found


def _of_text(case: Case) -> Iterator[str]:
    body = "\n".join(case.statements)
    patterns = {
        "definition": r"\bf\(",
        "definition of a definition": r"\bf2\(",
        "layer": r"\b(layer|scaled)\[",
        "capital slice": r"\bI0\b",
        "training": r"\btraining\b",
    }
    yield from (name for name, pattern in patterns.items() if re.search(pattern, body))


def _of_steps(program: Program, steps: tuple[Step, ...], around: tuple[str, ...]) -> Iterator[str]:
    written: set[str] = set()
    for step in steps:
        if isinstance(step, Statement):
            written.add(step.target)
            continue
        yield f"scan {'down' if step.down else 'up'}"
        inner = [item for item in step.body if isinstance(item, Scan)]
        if inner:
            yield "scan in a scan"
        if inner and len(step.body) == 1:
            yield "scan over two indices"
        if inner and len(step.body) > 1:
            yield "statements around a scan in a scan"
        yield from _of_scan(program, step, written)
        yield from _of_steps(program, step.body, (*around, step.index))


def _of_scan(program: Program, scan: Scan, written: set[str]) -> Iterator[str]:
    statements = tuple(statements_of(scan.body))
    targets = {statement.target for statement in statements}
    if targets & written:
        yield "value before its scan"
    if len(targets) > 1:
        yield "scan of several tensors"
    for statement in statements:
        if scan.index not in _indices(*statement.subscripts):
            yield "scan with a sum"
        for node in walk(statement.value):
            match node:
                case Reduce(indices=indices) if scan.index in indices:
                    yield "reduction over the index of the scan"
                case Read(tensor=name, subscripts=subscripts):
                    yield from _of_read_in_scan(program, scan, name, subscripts, targets)
                case _:
                    pass


def _of_read_in_scan(
    program: Program, scan: Scan, name: str, subscripts: tuple[Expression, ...], targets: set[str]
) -> Iterator[str]:
    bare = IndexValue(scan.index) in subscripts
    if bare and len(subscripts) > 2 and program.tensor(name).kind == "param":
        yield "scan over depth"
    if any(isinstance(node, Read) for item in subscripts for node in walk(item)):
        yield "gather in a scan"
    for item in subscripts:
        form = affine_form(item, {})
        if form is None or name not in targets:
            continue
        if abs(integer_of(form.offset) or 0) >= 2 and form.coefficient(scan.index):
            yield "read two rounds back"
    if any("window" in kind for kind in map(kind_of, subscripts)):
        yield "window in a scan"


def _of_statement(program: Program, statement: Statement) -> Iterator[str]:
    for subscript in statement.subscripts:
        yield f"{kind_of(subscript)} write"
    if any(kind_of(subscript) == "gathered" for subscript in statement.subscripts):
        yield "scatter"
    if _is_diagonal(statement.subscripts):
        yield "diagonal write"
    if statement.partial:
        yield f"guarded {statement.operator} write"
    inside = {
        id(node) for read in reads(statement.value) for s in read.subscripts for node in walk(s)
    }
    for node in walk(statement.value):
        yield from _of_node(program, node, inside)


def _of_node(program: Program, node: Expression, inside: set[int]) -> Iterator[str]:
    match node:
        case Read():
            yield from _of_read(program, node)
        case Apply(primitive=primitive, arguments=(IndexValue(), IndexValue() | Number())) if (
            primitive in COMPARISONS
        ):
            yield "condition on indices"
        case Apply(primitive="stop"):
            yield "stop"
        case Apply(primitive="select"):
            yield "branches"
        case Apply(arguments=arguments):
            if any(isinstance(a, IndexValue) and id(a) not in inside for a in arguments):
                yield "index as a number"
            if any(isinstance(a, Extent) and id(a) not in inside for a in arguments):
                yield "extent as a number"
        case _:
            pass


def _of_read(program: Program, read: Read) -> Iterator[str]:
    kinds = [kind_of(subscript) for subscript in read.subscripts]
    yield from (f"{kind} read" for kind in kinds)
    if _is_diagonal(read.subscripts):
        yield "diagonal read"
    if "gathered" in kinds and program.tensor(read.tensor).kind == "param":
        yield "gather from a param"
    if "gathered" in kinds and read.otherwise is not None:
        yield "guarded gather"
    match read.otherwise:
        case None:
            pass
        case Number() | Apply(primitive="neg"):
            yield "else a number"
        case Apply(primitive="iverson"):
            yield "else a condition"
        case Read(otherwise=None):
            yield "else a read"
        case Read():
            yield "else a guarded read"
        case _:
            pass


def kind_of(subscript: Expression) -> str:
    """One of `SUBSCRIPTS`, or `computed`."""
    if isinstance(subscript, IndexValue):
        return "bare"
    if isinstance(subscript, Apply) and subscript.primitive in ("mod", "clamp"):
        return subscript.primitive
    form = affine_form(subscript, {})
    if form is None:
        return "gathered" if isinstance(subscript, Read) else "computed"
    coefficients = [value for _, value in form.coefficients]
    if not coefficients:
        return "constant"
    if len(coefficients) > 1:
        return "dilated window" if any(abs(value) > 1 for value in coefficients) else "window"
    if coefficients[0] < 0:
        return "reversed"
    if coefficients[0] > 1:
        return "stride"
    return "offset" if integer_of(form.offset) is not None else "extent offset"


def _of_duplicates(case: Case, program: Program, statement: Statement) -> Iterator[str]:
    """Whether a scatter hits an element twice: by a bound index, or by the same integer."""
    gathered = [s for s in statement.subscripts if isinstance(s, Read)]
    bound = set(statement.indices) - _indices(*statement.subscripts)
    arrays = case.arrays() if gathered else {}
    for read in gathered:
        known = arrays.get(read.tensor)
        if bound or (known is not None and known.size > np.unique(known).size):
            yield "scatter with duplicates"


def _joined(program: Program) -> Iterator[str]:
    """Two writes of one tensor, the second one behind the first."""
    for statement in statements_of(program.statements):
        if any(kind_of(item) == "extent offset" for item in statement.subscripts):
            yield "parts joined"


def _is_diagonal(subscripts: tuple[Expression, ...]) -> bool:
    names = [item.index for item in subscripts if isinstance(item, IndexValue)]
    return len(names) > len(set(names))


def _indices(*expressions: Expression) -> set[str]:
    return {
        node.index for item in expressions for node in walk(item) if isinstance(node, IndexValue)
    }
