"""Which tensors carry a derivative: they depend on what is differentiated for, differentiably."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from einbatch.ir.primitives import PRIMITIVES
from einbatch.ir.program import Apply, Expression, Program, Read, Reduce, Scan, statements_of

FLAT_REDUCTIONS = ("argmax", "argmin")
FLAT_PRIMITIVES = ("sign", "floor", "stop", "iverson")


def differentiable_reads(expression: Expression) -> Iterator[Read]:
    """The reads through which a derivative may flow, left to right.

    Subscripts, conditions and what is constant between jumps (floor, sign, argmax)
    let none through.
    """
    match expression:
        case Read(otherwise=otherwise):
            yield expression
            if otherwise is not None:
                yield from differentiable_reads(otherwise)
        case Reduce(reduction=reduction) if reduction in FLAT_REDUCTIONS:
            return
        case Reduce(body=body):
            yield from differentiable_reads(body)
        case Apply(primitive=primitive) if primitive in FLAT_PRIMITIVES:
            return
        case Apply(primitive=primitive) if PRIMITIVES[primitive].gives == "condition":
            return
        case Apply(primitive="select", arguments=(_, *branches)):
            for branch in branches:
                yield from differentiable_reads(branch)
        case Apply(arguments=arguments):
            for argument in arguments:
                yield from differentiable_reads(argument)
        case _:
            return


def find_active(program: Program, sources: Collection[str]) -> frozenset[str]:
    """The sources, and every number tensor that depends on one of them."""
    integers = {tensor.name for tensor in program.tensors if tensor.integer}
    active = set(sources) - integers
    statements = tuple(statements_of(program.statements))
    found = 0
    while found < len(active):
        found = len(active)
        for statement in statements:
            depends = any(read.tensor in active for read in differentiable_reads(statement.value))
            if depends and statement.target not in integers:
                active.add(statement.target)
        if not _has_scan(program):
            break
    return frozenset(active)


def find_bypassed(program: Program, expression: Expression, form: Expression) -> set[str]:
    """The tensors that `form`, another form of the expression, no longer goes through."""
    ends = {read.tensor for read in differentiable_reads(form)}
    waiting = [read.tensor for read in differentiable_reads(expression)]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in ends and name not in found:
            found.add(name)
            for statement in statements_of(program.statements):
                if statement.target == name:
                    waiting += [read.tensor for read in differentiable_reads(statement.value)]
    return found


def find_reaching(program: Program, target: str) -> frozenset[str]:
    """The tensors that the target depends on, itself included."""
    reaching = {target}
    statements = tuple(statements_of(program.statements))
    found = 0
    while found < len(reaching):
        found = len(reaching)
        for statement in reversed(statements):
            if statement.target in reaching:
                reaching |= {read.tensor for read in differentiable_reads(statement.value)}
        if not _has_scan(program):
            break
    return frozenset(reaching)


def _has_scan(program: Program) -> bool:
    """True where a later statement may be read by an earlier one, a round after."""
    return any(isinstance(step, Scan) for step in program.statements)
