"""The checker of the core language: what every pass must leave true."""

from __future__ import annotations

from collections.abc import Iterator

from einbatch.diagnostics import deep_stack
from einbatch.ir.primitives import PRIMITIVES, REDUCTIONS
from einbatch.ir.program import (
    Apply,
    Constant,
    Expression,
    Extent,
    IndexValue,
    Program,
    Read,
    Reduce,
    Scan,
    Statement,
    Step,
)
from einbatch.ir.traverse import children, free_indices, walk


@deep_stack()
def verify(program: Program) -> list[str]:
    """Every broken rule, one line each; empty for a program that is well formed."""
    steps = (*program.statements, *program.reports, *program.updates)
    return [*_names(program), *_steps(program, steps, ())]


def is_condition(expression: Expression) -> bool:
    """True for an expression that is true or false and no number."""
    return isinstance(expression, Apply) and PRIMITIVES[expression.primitive].gives == "condition"


def _names(program: Program) -> Iterator[str]:
    kinds = [
        *(index.name for index in program.indices),
        *(name for name, _ in program.extents),
        *(let.name for let in program.lets),
        *(tensor.name for tensor in program.tensors),
    ]
    for name in sorted({name for name in kinds if kinds.count(name) > 1}):
        yield f"{name} has two meanings"
    if program.batch is not None and program.find_index(program.batch) is None:
        yield f"the batch index {program.batch} is not an index"
    for objective in program.objectives:
        if program.find_tensor(objective.tensor) is None:
            yield f"the objective {objective.tensor} is not a tensor"
        for name in objective.over or ():
            tensor = program.find_tensor(name)
            if tensor is None or tensor.kind != "param":
                yield f"the objective {objective.tensor} is over {name}, which is no param"
    for tensor in program.tensors:
        if tensor.kind != "value" and len(tensor.axes) != len(tensor.extents):
            yield f"{tensor.name} has {len(tensor.axes)} axes and {len(tensor.extents)} extents"


def _steps(program: Program, steps: tuple[Step, ...], scanned: tuple[str, ...]) -> Iterator[str]:
    for step in steps:
        match step:
            case Statement():
                yield from _statement(program, step, scanned)
            case Scan(index=index, body=body):
                if program.find_index(index) is None:
                    yield f"scan over {index}, which is no index"
                yield from _steps(program, body, (*scanned, index))


def _statement(program: Program, statement: Statement, scanned: tuple[str, ...]) -> Iterator[str]:
    where = f"the statement of {statement.target}"
    tensor = program.find_tensor(statement.target)
    if tensor is None:
        yield f"{where}: no such tensor"
    elif len(tensor.extents) != len(statement.subscripts):
        yield f"{where}: {len(statement.subscripts)} subscripts, {len(tensor.extents)} axes"
    occurring = set(free_indices(*statement.subscripts, statement.value)) - set(scanned)
    if occurring != set(statement.indices) or len(statement.indices) != len(occurring):
        yield f"{where}: loops over {statement.indices}, but {sorted(occurring)} occur"
    bound = occurring - set(free_indices(*statement.subscripts))
    if statement.operator == "=" and bound:
        yield f"{where}: {sorted(bound)} only on the right of ="
    if is_condition(statement.value):
        yield f"{where}: assigns a condition"
    for expression in (*statement.subscripts, statement.value):
        for node in walk(expression):
            yield from (f"{where}: {problem}" for problem in _node(program, node))


def _node(program: Program, node: Expression) -> Iterator[str]:
    match node:
        case Read(tensor=name, subscripts=subscripts):
            tensor = program.find_tensor(name)
            if tensor is None:
                yield f"reads {name}, which is no tensor"
            elif len(tensor.extents) != len(subscripts):
                yield f"{name} has {len(tensor.extents)} axes, {len(subscripts)} subscripts"
        case IndexValue(index=name):
            if program.find_index(name) is None:
                yield f"{name} is no index"
        case Constant(name=name):
            if all(let.name != name for let in program.lets):
                yield f"{name} is no constant"
        case Extent(name=name):
            named = any(extent == name for extent, _ in program.extents)
            if not named and program.find_index(name) is None:
                yield f"{name} has no extent"
        case Reduce(reduction=reduction, indices=indices):
            if reduction not in REDUCTIONS:
                yield f"{reduction} is no reduction"
            elif REDUCTIONS[reduction].single and len(indices) != 1:
                yield f"{reduction} takes one index"
            if len(set(indices)) != len(indices) or not indices:
                yield f"{reduction} over {indices}"
            yield from (f"{i} is no index" for i in indices if program.find_index(i) is None)
        case Apply():
            yield from _apply(node)
        case _:
            pass
    if isinstance(node, (Read, Reduce)) and any(is_condition(c) for c in children(node)):
        yield "a condition where a number is needed"


def _apply(node: Apply) -> Iterator[str]:
    primitive = PRIMITIVES.get(node.primitive)
    if primitive is None:
        yield f"{node.primitive} is no primitive"
        return
    count = len(node.arguments)
    if count != primitive.arity if primitive.arity is not None else count < 2:
        yield f"{node.primitive} of {count} arguments"
    for position, argument in enumerate(node.arguments):
        first_of_select = node.primitive == "select" and position == 0
        wanted = first_of_select or primitive.takes == "condition"
        if is_condition(argument) != wanted:
            yield f"argument {position} of {node.primitive} is of the wrong kind"
