"""The program beside its backward: each line, and the statements that are derived from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from einbatch.diagnostics import NOWHERE, Source
from einbatch.elaborate import erase
from einbatch.ir import Program, Scan, Statement, Step, written
from einbatch.syntax import unparse
from einbatch.syntax.colour import Piece, colour, lines_of

WIDEST = 1000
"""The most characters of a line that are shown: data in a program can be long."""


@dataclass(frozen=True, slots=True)
class Derived:
    """A line of the derived program; `number` is its place in the order of execution."""

    pieces: Sequence[Piece]
    number: int | None = None


@dataclass(slots=True)
class Row:
    """A line of the program, and what is computed for it.

    `hoisted` is how the derived program computes the line itself, where it gives names to
    parts of it; `backward` and `update` are the statements that stand beside it.
    """

    number: int | None
    pieces: Sequence[Piece]
    hoisted: list[Derived] = field(default_factory=list[Derived])
    backward: list[Derived] = field(default_factory=list[Derived])
    update: list[Derived] = field(default_factory=list[Derived])


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of a program in canonical form, the step that it belongs to, whether it opens it."""

    pieces: Sequence[Piece]
    step: Step

    @property
    def anchor(self) -> int | None:
        """The line of the source that the step comes from, from 1."""
        span = self.step.span
        return None if span.source is NOWHERE.source else span.line


def beside(
    source: Source, program: Program, derived: Program, updates: Program | None
) -> list[Row]:
    """A row for each line of the source; one more for what stands behind no line.

    `derived` is the program with its backward; `updates` one whose update statements an
    optimizer wrote, None where they are the source's own. They stand beside the `train` line.
    """
    roles = roles_of(program)
    lines = lines_of(colour(source, roles))
    while len(lines) > 1 and not lines[-1]:
        lines.pop()
    rows = [Row(number, shorten(pieces)) for number, pieces in enumerate(lines, 1)]
    loose = Row(None, [])
    forward, backward = _halves(derived.statements, program.cotangent)
    own = _by_anchor(_lines(program, program.statements, roles))
    for anchor, found in _by_anchor(_lines(derived, forward, roles)).items():
        if _texts(found) != _texts(own.get(anchor, [])):
            _row(rows, loose, anchor).hoisted += [Derived(line.pieces) for line in found]
    number = 0
    for line in _lines(derived, backward, roles):
        number += isinstance(line.step, Statement)
        shown = Derived(line.pieces, number if isinstance(line.step, Statement) else None)
        _row(rows, loose, line.anchor).backward.append(shown)
    if updates is not None:
        place = None if program.train is None else program.train.span.line
        row = _row(rows, loose, place)
        row.update += [Derived(line.pieces) for line in _lines(updates, updates.updates, roles)]
    return [*rows, loose] if loose.hoisted or loose.backward or loose.update else rows


def roles_of(program: Program) -> dict[str, str]:
    """What each name is, as `colour` marks it."""
    extents = {name: "number" for name, _ in program.extents}
    tensors = {tensor.name: tensor.kind for tensor in program.tensors}
    return {**extents, **tensors, **{index.name: "index" for index in program.indices}}


def indent_of(pieces: Sequence[Piece]) -> int:
    """The blanks that a line begins with."""
    first = pieces[0].text if pieces else ""
    return len(first) - len(first.lstrip())


def dedented(pieces: Sequence[Piece]) -> list[Piece]:
    """The line without the blanks that it begins with."""
    first = [piece._replace(text=piece.text.lstrip()) for piece in pieces[:1]]
    return [piece for piece in [*first, *pieces[1:]] if piece.text]


def shorten(pieces: Sequence[Piece]) -> list[Piece]:
    """The pieces up to `WIDEST` characters, and how many there are if there are more."""
    found: list[Piece] = []
    length = 0
    for piece in pieces:
        found.append(piece._replace(text=piece.text[: max(0, WIDEST - length)]))
        length += len(piece.text)
    if length > WIDEST:
        found.append(Piece("comment", f" … ({length:,} characters)"))
    return [piece for piece in found if piece.text]


def _halves(steps: tuple[Step, ...], suffix: str) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
    """The forward steps, and the backward ones: from the first that writes a cotangent."""
    for place, step in enumerate(steps):
        if any(target.endswith(suffix) for target in written([step])):
            return steps[:place], steps[place:]
    return steps, ()


def _lines(program: Program, steps: tuple[Step, ...], roles: dict[str, str]) -> list[_Line]:
    """The lines of some of a program's steps, one for each statement and each scan's head."""
    alone = replace(program, statements=steps, objectives=(), reports=(), updates=(), train=None)
    text = unparse(erase(alone))
    owners = list(_heads(steps))
    if not owners:
        return []
    pieces = lines_of(colour(Source("<derived>", text), roles))[:-1]
    shown = pieces[-len(owners) :]
    return [_Line(shorten(line), step) for line, step in zip(shown, owners, strict=True)]


def _heads(steps: Sequence[Step]) -> Iterator[Step]:
    for step in steps:
        yield step
        if isinstance(step, Scan):
            yield from _heads(step.body)


def _by_anchor(lines: Sequence[_Line]) -> dict[int | None, list[_Line]]:
    found: dict[int | None, list[_Line]] = {}
    for line in lines:
        found.setdefault(line.anchor, []).append(line)
    return found


def _texts(lines: Sequence[_Line]) -> list[str]:
    return ["".join(piece.text for piece in line.pieces).strip() for line in lines]


def _row(rows: Sequence[Row], loose: Row, anchor: int | None) -> Row:
    return rows[anchor - 1] if anchor is not None and anchor <= len(rows) else loose
