"""Text to coloured pieces: what kind of word each word is, as the grammar's scanner has it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import NamedTuple

from lark.lexer import PatternStr, Token

from einbatch.diagnostics import Source
from einbatch.syntax.parse import read_tokens, terminals

KINDS = {
    "FUNCTION": "function",
    "LAYER": "function",
    "REDUCTION": "function",
    "REDUCED": "function",
    "NUMBER": "number",
    "SUPERSCRIPT": "number",
    "EXTENT": "number",
    "STRING": "string",
}
"""The kinds of tokens that are neither keywords nor names; all others stay plain."""


class Piece(NamedTuple):
    """A part of a text; `kind` is "" where it is plain."""

    kind: str
    text: str


def colour(source: Source, roles: Mapping[str, str]) -> list[Piece]:
    """The pieces of a program's text, which put together are the text.

    Kinds are `keyword`, `function`, `number`, `string`, `comment`, `grad` (a cotangent)
    and, for the other names, what `roles` says of their keys. EinbatchError where the
    text has no tree.
    """
    text = source.text
    pieces: list[Piece] = []
    end = 0
    tokens = [token for token in read_tokens(source) if token.type not in LAYOUT]
    for place, token in enumerate(tokens):
        start, stop = token.start_pos or 0, token.end_pos or 0
        pieces += _between(text[end:start])
        after = tokens[place + 1] if place + 1 < len(tokens) else None
        pieces.append(Piece(_kind(token, after, roles), text[start:stop]))
        end = stop
    return [piece for piece in [*pieces, *_between(text[end:])] if piece.text]


LAYOUT = ("NEWLINE", "INDENT", "DEDENT")


def lines_of(pieces: list[Piece]) -> list[list[Piece]]:
    """The pieces of each line, without the line ends."""
    lines: list[list[Piece]] = [[]]
    for kind, text in pieces:
        first, *more = text.split("\n")
        lines[-1].append(Piece(kind, first))
        lines += [[Piece(kind, part)] for part in more]
    return [[piece for piece in line if piece.text] for line in lines]


def _between(text: str) -> Iterator[Piece]:
    """What the rules never see: blanks and comments."""
    for part in re.split(r"(#[^\n]*)", text):
        yield Piece("comment" if part.startswith("#") else "", part)


def _kind(token: Token, after: Token | None, roles: Mapping[str, str]) -> str:
    if token.type != "NAME":
        return "keyword" if token.type in _keywords() else KINDS.get(token.type, "")
    if ".grad" in token:
        return "grad"
    called = after is not None and after.type == "OPEN" and after.start_pos == token.end_pos
    return roles.get(str(token), "function" if called else "")


@cache
def _keywords() -> frozenset[str]:
    return frozenset(
        item.name
        for item in terminals()
        if isinstance(item.pattern, PatternStr) and item.pattern.value.isidentifier()
    )
