"""The order in which a program lists its indices and tensors: that of its printed text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from einbatch.ir.program import (
    Index,
    IndexValue,
    Program,
    Read,
    Reduce,
    Scan,
    Step,
    Tensor,
    statements_of,
)
from einbatch.ir.traverse import walk

KINDS = ("input", "param", "state", "draw")


def in_canonical_order(program: Program) -> Program:
    """The same program with indices and tensors in the order of its text.

    Indices: the batch index, declared ones, then inferred ones by first use.
    Tensors: inputs, params, states, reports, then values by first write; cotangents
    that are only read come last.
    """
    return replace(
        program,
        indices=tuple(sorted(program.indices, key=_index_order(program))),
        tensors=tuple(sorted(program.tensors, key=_tensor_order(program))),
    )


def _index_order(program: Program) -> Callable[[Index], tuple[int, int]]:
    uses = {name: position for position, name in enumerate(dict.fromkeys(_index_uses(program)))}

    def key(index: Index) -> tuple[int, int]:
        if index.name == program.batch:
            return (0, 0)
        return (1, 0) if index.declared is not None else (2, uses.get(index.name, len(uses)))

    return key


def _tensor_order(program: Program) -> Callable[[Tensor], tuple[int, int]]:
    reports = {report.target: k for k, report in reversed([*enumerate(program.reports)])}
    steps = (*program.statements, *program.updates)
    targets = dict.fromkeys(statement.target for statement in statements_of(steps))
    writes = {name: k for k, name in enumerate(targets)}

    def key(tensor: Tensor) -> tuple[int, int]:
        if tensor.kind != "value":
            return (KINDS.index(tensor.kind), 0)
        if tensor.name in reports:
            return (3, reports[tensor.name])
        return (4, writes[tensor.name]) if tensor.name in writes else (5, 0)

    return key


def _index_uses(program: Program) -> Iterator[str]:
    for kind in KINDS:
        for tensor in program.tensors:
            if tensor.kind == kind:
                yield from tensor.axes
                yield from () if tensor.member is None else (tensor.member,)
    yield from _uses((*program.statements, *program.updates))
    yield from _uses(program.reports)


def _uses(steps: Iterable[Step]) -> Iterator[str]:
    for statement in steps:
        if isinstance(statement, Scan):
            yield statement.index
            yield from _uses(statement.body)
            continue
        yield from statement.indices
        for expression in (*statement.subscripts, statement.value):
            for node in walk(expression):
                match node:
                    case Read(subscripts=subscripts):
                        yield from (s.index for s in subscripts if isinstance(s, IndexValue))
                    case Reduce(indices=indices):
                        yield from indices
                    case _:
                        pass
