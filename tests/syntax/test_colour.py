"""Coloured pieces: nothing of the text is lost, and each word is what the grammar says."""

from __future__ import annotations

from pathlib import Path

import pytest

from einbatch.diagnostics import EinbatchError, Source
from einbatch.syntax import read_source
from einbatch.syntax.colour import Piece, colour, lines_of

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAMS = sorted((ROOT / "programs").rglob("*.ein"))


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_the_pieces_are_the_text(path: Path) -> None:
    source = read_source(path)
    pieces = colour(source, {})
    assert "".join(piece.text for piece in pieces) == source.text
    lines = ["".join(piece.text for piece in line) for line in lines_of(pieces)]
    assert lines == source.text.split("\n")


def test_kinds() -> None:
    text = 'input x[i] from "#.npz"  # for\nW⁰ = Σ_i (x[i])² + σ(2)|i| β(1) x.grad[i]\n'
    roles = {"i": "index", "W0": "param"}
    pieces = [piece for piece in colour(Source("t", text), roles) if piece.kind]
    assert pieces == [
        Piece("keyword", "input"),
        Piece("index", "i"),
        Piece("keyword", "from"),
        Piece("string", '"#.npz"'),
        Piece("comment", "# for"),
        Piece("param", "W⁰"),
        Piece("function", "Σ_"),
        Piece("index", "i"),
        Piece("index", "i"),
        Piece("number", "²"),
        Piece("function", "σ"),
        Piece("number", "2"),
        Piece("number", "|i|"),
        Piece("function", "β"),
        Piece("number", "1"),
        Piece("grad", "x.grad"),
        Piece("index", "i"),
    ]


@pytest.mark.parametrize("text", ["", "\n", "# only\r\n", "\ufeffindex i < 2\r\n"])
def test_texts_of_little(text: str) -> None:
    assert "".join(piece.text for piece in colour(Source("t", text), {})) == text


def test_what_has_no_tree_has_no_colours() -> None:
    with pytest.raises(EinbatchError, match="E0113"):
        colour(Source("t", "for for\n"), {})
