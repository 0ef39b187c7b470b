"""`einbatch check`: all errors and warnings. Needs no data, and imports no numpy."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from unicodedata import combining

from einbatch.autodiff import differentiate
from einbatch.cli.arguments import constants
from einbatch.diagnostics import EinbatchError
from einbatch.elaborate import erase_statement, find_warnings
from einbatch.ir import Expression, Number, Program, Statement
from einbatch.model.front import Front, read_program
from einbatch.plan import check_tensors
from einbatch.syntax import nodes as n
from einbatch.syntax import read_source, unparse


def run(arguments: argparse.Namespace) -> int:
    """Checks a program; 1 where it has errors, those of size included."""
    try:
        front = read_program(read_source(arguments.file), constants(arguments.set))
        warnings = find_warnings(front.program)
        for warning in warnings:
            print(warning, file=sys.stderr)
        _check_sizes(front.program, arguments.dtype)
        if front.program.objective is not None:
            differentiate(front.training.program, keep=True)
    except EinbatchError as error:
        print(error, file=sys.stderr)
        return 1
    if arguments.verbose:
        print(_described(front))
    if arguments.grads:
        from einbatch.cli.check_grads import check_grads

        return check_grads(front)
    if not arguments.verbose:
        count = len(warnings)
        found = f"{count} warning{'' if count == 1 else 's'}" if count else "no errors"
        print(f"{arguments.file}: {found}")
    return 0


def _check_sizes(program: Program, dtype: str | None) -> None:
    known = {i.name: int(i.extent.value) for i in program.indices if isinstance(i.extent, Number)}
    chosen = "float64" if (dtype or program.dtype) == "float64" else "float32"
    findings = check_tensors(program, known, chosen)
    if findings:
        raise EinbatchError(findings)


def _described(front: Front) -> str:
    """Every index, with its extent and the place that fixes it; every tensor with its extents."""
    program = front.program
    spellings = dict(program.spellings)
    table = [("index < extent", "fixed at", "")]
    for index in program.indices:
        place = f"{index.fixed.line}:{index.fixed.column}"
        line = index.fixed.source.text.split("\n")[index.fixed.line - 1].strip()
        by = line if len(line) <= WIDEST else line[: WIDEST - 1] + "…"
        name = spellings.get(index.name, index.name)
        table.append((f"{name} < {_text(program, index.extent)}", place, by))
    lines = [*aligned(table), ""]
    for tensor in program.tensors:
        extents = " × ".join(_text(program, extent) for extent in tensor.extents)
        kind = "integers" if tensor.integer else program.dtype or "float32"
        lines.append(f"{tensor.kind} {tensor.name}: {extents or 'a scalar'}, {kind}")
    return "\n".join(lines)


WIDEST = 60
"""How many characters of a line the table shows."""


def aligned(table: Sequence[tuple[str, ...]]) -> list[str]:
    """The rows as lines, each column as wide as its widest cell."""
    widths = [max(map(_width, column)) for column in zip(*table, strict=True)]
    return [
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in table
    ]


def _width(cell: str) -> int:
    """How many columns a text takes: combining marks take none."""
    return sum(not combining(character) for character in cell)


def _text(program: Program, extent: Expression) -> str:
    assign = erase_statement(program, Statement("", (), "=", extent, ()))
    return unparse(assign.value) if isinstance(assign, n.Assign) else ""
