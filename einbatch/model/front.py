"""Text → tree → program → program with updates. Imports no numpy: `check` needs no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from operator import index
from typing import cast

from einbatch.diagnostics import Source, fail
from einbatch.elaborate import elaborate
from einbatch.ir import Program, reads, statements_of
from einbatch.model.names import merge_names
from einbatch.syntax import nodes as n
from einbatch.syntax import parse
from einbatch.train.optimizers import inline_optimizer
from einbatch.train.settings import Overrides
from einbatch.train.updates import Training, check_claims, declare_counters, without_claims


@dataclass(frozen=True, slots=True)
class Front:
    """A program that has been read.

    `program` holds all that was typed, hand-written cotangents included; `forward`
    the forward statements, the objective and the reports. `training` has the
    optimizer's updates inlined, and no hand-written cotangents. `counters` are the
    inputs of `program` that nobody declared: `step`, `steps`.
    """

    source: Source
    tree: n.Tree
    constants: tuple[tuple[str, int | float], ...]
    program: Program
    forward: Program
    training: Training
    counters: tuple[str, ...]

    def train_with(self, optimizer: str | None, settings: Overrides) -> Training:
        """The training by another optimizer, or with other settings."""
        return _training(self.tree, self.program, dict(self.constants), optimizer, settings)


def read_program(
    source: Source,
    constants: Mapping[str, int | float] | None = None,
    *,
    implicit_inputs: bool = False,
) -> Front:
    """A text, read and checked; EinbatchError with everything that is wrong.

    `constants` override `let`s. With `implicit_inputs`, tensors that are read and
    neither written nor declared are inputs.
    """
    tree = parse(source)
    named = {} if constants is None else merge_names(constants)
    given = {name: _number(name, value) for name, value in named.items()}
    counted, counters = declare_counters(tree)
    program = elaborate(counted, set=given, implicit_inputs=implicit_inputs)
    check_claims(program)
    if implicit_inputs:
        training = Training(program, ())
    else:
        training = _training(tree, program, given, None, {})
    if program.train is not None:
        training.check()
    forward = _forward(program, counters)
    return Front(source, tree, tuple(given.items()), program, forward, training, counters)


def text_source(text: str) -> Source:
    """A caller's text, to be read; E0104 where it is none."""
    if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance] - callers are not typed
        raise fail(
            "E0104",
            f"a program is a text, and this is a {type(text).__name__}",
            help="`load(path)` reads a file, `parse(text)` a text",
        )
    return Source("<text>", text)


def _number(name: str, value: object) -> int | float:
    """A constant as a plain number: whole where it is an integer of any kind; E0623 if none."""
    try:
        return index(cast(int, value))
    except TypeError:
        pass
    try:
        number = float("" if isinstance(value, str) else cast(float, value))
        if isfinite(number):
            return number
    except (TypeError, ValueError):
        pass
    raise fail(
        "E0623",
        f"the constant `{name}` is set to {value!r}, which is no finite number",
        help=f"set it to a number: `{name}=512`",
    )


def _training(
    tree: n.Tree,
    program: Program,
    constants: Mapping[str, int | float],
    optimizer: str | None,
    settings: Overrides,
) -> Training:
    honest = without_claims(tree, program.cotangent)
    inlined = inline_optimizer(honest, program, optimizer, settings)
    counted, counters = declare_counters(inlined)
    return Training(elaborate(counted, set=constants), counters)


def _forward(program: Program, counters: tuple[str, ...]) -> Program:
    """The program without updates and `train` line, and without what only they know."""
    steps = (*program.statements, *program.reports)
    known = {statement.target for statement in statements_of(steps)}
    for statement in statements_of(steps):
        for expression in (*statement.subscripts, statement.value):
            known |= {read.tensor for read in reads(expression)}
    kept = tuple(
        tensor
        for tensor in program.tensors
        if tensor.name in known
        or (tensor.kind in ("input", "param") and tensor.name not in counters)
    )
    objectives = tuple(replace(objective, after=0) for objective in program.objectives)
    return replace(program, tensors=kept, objectives=objectives, updates=(), train=None)
