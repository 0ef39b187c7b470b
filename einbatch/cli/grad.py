"""`einbatch grad`: print the derived backward program."""

from __future__ import annotations

import argparse
from dataclasses import replace

from einbatch.autodiff import differentiate
from einbatch.cli.arguments import constants
from einbatch.elaborate import erase, find_origins
from einbatch.model.front import read_program
from einbatch.syntax import nodes as n
from einbatch.syntax import read_source, unparse
from einbatch.syntax.spelling import key_of


def run(arguments: argparse.Namespace) -> int:
    """Derives a program and prints it; the exit code."""
    front = read_program(read_source(arguments.file), constants(arguments.set))
    wrt = [key_of(name) for names in arguments.wrt for name in names.split(",") if name]
    program = front.training.program if arguments.update else front.forward
    derived = differentiate(program, wrt, simplify=not arguments.raw, keep=arguments.update)
    tree = erase(derived)
    counters = front.training.counters  # whoever trains gives them, and no text declares them
    kept = tuple(s for s in tree.statements if not _is_counter(s, counters))
    print(unparse(replace(tree, statements=kept), find_origins(front.tree)), end="")
    return 0


def _is_counter(statement: n.Statement, counters: tuple[str, ...]) -> bool:
    return isinstance(statement, n.Input) and statement.name.key in counters
