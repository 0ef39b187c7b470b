"""The program beside its backward, for every program of the course."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import einbatch as eb
from einbatch.report.listing import WIDEST, Row, beside, shorten
from einbatch.syntax.colour import Piece
from einbatch.syntax.source import read_source

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = sorted(
    path
    for path in (ROOT / "programs").rglob("*.ein")
    if "minimize" in path.read_text("utf-8") or "maximize" in path.read_text("utf-8")
)


def text(pieces: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in pieces)


def rows_of(path: Path) -> list[Row]:
    model = eb.load(path)
    train = model.program.train
    updates = model.front.training.program if train and train.optimizer else None
    return beside(model.front.source, model.program, model.backward.program, updates)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_every_line_and_every_derived_statement_is_there_once(path: Path) -> None:
    rows = rows_of(path)
    lines = read_source(path).text.rstrip("\n").split("\n")
    assert [text(row.pieces) for row in rows] == lines
    assert [row.number for row in rows] == list(range(1, len(lines) + 1))
    shown = str(eb.load(path).backward).splitlines()
    derived = [line for line in shown if line and not line.lstrip().startswith("#")]
    backward = [text(line.pieces) for row in rows for line in row.backward]
    start = next(k for k, line in enumerate(derived) if ".grad" in line)
    while derived[start - 1].startswith("scan") and start:
        start -= 1
    assert sorted(backward) == sorted(derived[start:])
    numbered = [line for row in rows for line in row.backward if line.number is not None]
    in_order = sorted(numbered, key=lambda line: line.number or 0)
    statements = [line for line in derived[start:] if not line.lstrip().startswith("scan ")]
    assert [text(line.pieces) for line in in_order] == statements


def test_parts_that_get_names_are_shown_below_their_line() -> None:
    rows = rows_of(ROOT / "programs" / "digits.ein")
    (row,) = (row for row in rows if row.hoisted)
    assert row.number == 16
    assert [text(line.pieces) for line in row.hoisted] == [
        "for b,j: h_1[b,j] = g[b,j] - C0[j]",
        "for b,j: h[b,j] = relu(h_1[b,j])",
    ]


def test_a_scan_stands_beside_the_scan_the_other_way() -> None:
    rows = rows_of(ROOT / "programs" / "course" / "rnn.ein")
    (row,) = (row for row in rows if text(row.pieces) == "scan t:")
    assert [text(line.pieces) for line in row.backward] == ["scan t down:"]


def test_names_are_coloured_by_what_they_are() -> None:
    rows = rows_of(ROOT / "programs" / "digits.ein")
    kinds = {piece.text: piece.kind for row in rows for piece in row.pieces}
    kinds |= {p.text: p.kind for row in rows for line in row.backward for p in line.pieces}
    expected = {
        "for": "keyword", "softmax": "function", "ŷ": "index", "W0": "param", "image": "input",
        "W0.grad": "grad", "16": "number", '"data/digits.npz"': "string", "B": "number",
        "sgd": "function", "h": "value", "|r|": "number",
    }  # fmt: skip
    assert expected == {name: kinds[name] for name in expected}


def test_long_lines_are_cut() -> None:
    pieces = shorten([Piece("number", "1" * 700), Piece("", "," * 700)])
    assert text(pieces) == "1" * 700 + "," * (WIDEST - 700) + " … (1,400 characters)"
    assert shorten([Piece("", "x" * WIDEST)]) == [Piece("", "x" * WIDEST)]
