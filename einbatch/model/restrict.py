"""Before: a program. After: the part of it that some of its tensors need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace

from einbatch.ir import (
    Constant,
    Draw,
    Elements,
    Expression,
    Extent,
    IndexValue,
    Program,
    Read,
    Reduce,
    Scan,
    Statement,
    Step,
    Tensor,
    reads,
    statements_of,
    walk,
    written,
)


def restrict(program: Program, outputs: Collection[str], *, updates: bool = False) -> Program:
    """The program that computes `outputs` and nothing else; they are its tensors' names.

    What is dropped needs no data: inputs stay where something reads them, or where
    they alone fix an extent. With `updates` the update statements stay, all of them.
    """
    needed = set(outputs)
    late = program.updates if updates else ()
    for step in late:
        needed |= {*written([step]), *_names_read([step])}
    reports = tuple(report for report in program.reports if report.target in needed)
    needed |= _names_read(reports)
    statements = _needed_steps(program.statements, needed)
    tensors = {tensor.name: tensor for tensor in program.tensors if tensor.name in needed}
    steps: tuple[Step, ...] = (*statements, *reports, *late)
    mentioned = _mentioned(program, tensors.values(), steps)
    fixed = {extent for t in tensors.values() if t.kind == "input" for extent in t.extents}
    for tensor in program.of_kind("input"):
        own = {extent for extent in tensor.extents if isinstance(extent, Extent)}
        loose = {extent for extent in own if extent.name in mentioned} - fixed
        if loose and tensor.name not in tensors:
            tensors[tensor.name] = tensor
            fixed |= set(tensor.extents)
            mentioned |= _mentioned(program, (tensor,), ())
    objectives = tuple(o for o in program.objectives if o.tensor in tensors)
    return replace(
        program,
        indices=tuple(index for index in program.indices if index.name in mentioned),
        extents=tuple(pair for pair in program.extents if pair[0] in mentioned),
        lets=tuple(let for let in program.lets if let.name in mentioned),
        batch=program.batch if program.batch in mentioned else None,
        tensors=tuple(t for t in program.tensors if t.name in tensors),
        statements=statements,
        objectives=tuple(o if updates else replace(o, after=0) for o in objectives),
        reports=reports,
        updates=late,
    )


def _needed_steps(steps: Iterable[Step], needed: set[str]) -> tuple[Step, ...]:
    """The steps that compute what is needed; what they read is needed, too, and is added."""
    kept: list[Step] = []
    for step in reversed(tuple(steps)):
        match step:
            case Statement(target=target):
                if target in needed:
                    kept.append(step)
                    needed |= _names_read([step])
            case Scan():
                before, body = -1, step.body
                while len(needed) > before:  # a round reads what stands further down, earlier
                    before, body = len(needed), _needed_steps(step.body, needed)
                kept += [replace(step, body=body)] if body else []
    return tuple(reversed(kept))


def _names_read(steps: Iterable[Step]) -> set[str]:
    return {
        read.tensor
        for statement in statements_of(tuple(steps))
        for expression in (*statement.subscripts, statement.value)
        for read in reads(expression)
    }


def _mentioned(program: Program, tensors: Iterable[Tensor], steps: Iterable[Step]) -> set[str]:
    """Every index, extent and constant that these need, directly or through another."""
    found: set[str] = set()
    waiting: list[str] = []
    for tensor in tensors:
        waiting += [*tensor.axes, *([tensor.member] if tensor.member else [])]
        waiting += [name for extent in tensor.extents for name in _in(extent)]
        if tensor.initial is not None:
            waiting += _in_initial(tensor.initial)
    waiting += _scanned(steps)
    for statement in statements_of(tuple(steps)):
        waiting += statement.indices
        for expression in (*statement.subscripts, statement.value):
            waiting += _in(expression)
    means = _meanings(program)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            for expression in means.get(name, ()):
                waiting += _in(expression)
    return found


def _scanned(steps: Iterable[Step]) -> Iterator[str]:
    """The indices that scans run over; what stands in one need not mention its index."""
    for step in steps:
        if isinstance(step, Scan):
            yield step.index
            yield from _scanned(step.body)


def _meanings(program: Program) -> dict[str, tuple[Expression, ...]]:
    means: dict[str, tuple[Expression, ...]] = {let.name: (let.value,) for let in program.lets}
    means |= {name: (extent,) for name, extent in program.extents}
    for index in program.indices:
        declared = () if index.declared is None else (index.declared,)
        means[index.name] = (index.extent, *declared)
    return means


def _in_initial(initial: Draw | Elements | Expression) -> list[str]:
    match initial:
        case Draw(arguments=parts):
            return [name for part in parts for name in _in(part)]
        case Elements(items=items):
            return [name for item in items for name in _in_initial(item)]
        case _:
            return list(_in(initial))


def _in(expression: Expression) -> Iterator[str]:
    for node in walk(expression):
        match node:
            case IndexValue(index=name) | Extent(name=name) | Constant(name=name):
                yield name
            case Reduce(indices=indices):
                yield from indices
            case Read() | _:
                pass
