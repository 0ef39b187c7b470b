"""Which names a program uses as indices, seen from its tokens alone.

The scanner must know before the parser reads anything: `sum_i` is a reduction
where `i` is an index of the program, and a name where it is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lark.lexer import Token

from einbatch.syntax.spelling import REDUCTION_SPELLINGS, SIGNS, key_of

_OPEN = frozenset({"OPEN", "OPEN_SQUARE", "OPEN_CURLY"})
_CLOSE = frozenset({"CLOSE", "CLOSE_SQUARE", "CLOSE_CURLY"})


def program_indices(raw: Sequence[Token]) -> frozenset[str]:
    """The keys of every word that the text uses as an index, whatever stands where.

    These are the names in `batch` and `index` declarations, `for` lists, `in` clauses
    and the lists of reductions, and those that stand alone as a subscript, unless a
    `let` declares them.
    """
    tokens = list(_without_line_ends(raw))
    found = {*_listed(tokens), *_subscripting(tokens), *_reduced(tokens)}
    found.update(_after(tokens, {"IN", "ELEMENT_OF"}))
    return frozenset(found.difference(_after(tokens, {"LET"})))


def program_definitions(raw: Sequence[Token]) -> frozenset[str]:
    """The keys of the words after `def`."""
    tokens = list(_without_line_ends(raw))
    return frozenset(_after(tokens, {"DEF"}))


@dataclass(frozen=True, slots=True)
class Known:
    """What a first pass over a text has found: its indices, and the names of its `def`s."""

    indices: frozenset[str]
    definitions: frozenset[str]


def subscripts(before: Token, bracket: Token) -> bool:
    """Whether `[` belongs to the token before it."""
    if before.type != "NAME":
        return False
    return before.end_pos == bracket.start_pos or key_of(before) in REDUCTION_SPELLINGS


def _without_line_ends(raw: Sequence[Token]) -> Iterator[Token]:
    """The tokens without comments and the line ends inside brackets."""
    depth = 0
    for token in raw:
        if token.type in _OPEN:
            depth += 1
        elif token.type in _CLOSE:
            depth = max(0, depth - 1)
        if token.type != "COMMENT" and not (token.type == "NEWLINE" and depth):
            yield token


def _listed(tokens: Sequence[Token]) -> Iterator[str]:
    """Names in declarations of indices, and in the lists of `for`."""
    listing = several = False
    for token in tokens:
        match token.type:
            case "BATCH" | "FOR" | "SCAN" | "INDEX":
                listing, several = True, token.type == "INDEX"
            case "COMMA":
                listing = listing or several
            case "NAME" if listing:
                yield key_of(token)
            case "COLON" | "LESS" | "NEWLINE":
                listing, several = False, several and token.type == "LESS"
            case _:
                pass


def _subscripting(tokens: Sequence[Token]) -> Iterator[str]:
    """Names that alone are a subscript, or stand in the list of a reduction."""
    lists: list[bool] = []
    for position, token in enumerate(tokens):
        if token.type in _OPEN:
            curly = token.type == "OPEN_CURLY"
            square = token.type == "OPEN_SQUARE" and position > 0
            lists.append(curly or (square and subscripts(tokens[position - 1], token)))
        elif token.type in _CLOSE:
            del lists[-1:]
        elif token.type == "NAME" and lists and lists[-1] and position + 1 < len(tokens):
            before, after = tokens[position - 1].type, tokens[position + 1].type
            if before in {*_OPEN, "COMMA"} and after in {*_CLOSE, "COMMA"}:
                yield key_of(token)


def _reduced(tokens: Sequence[Token]) -> Iterator[str]:
    """What follows `Σ_` and the like."""
    for token in tokens:
        if token.type == "NAME" and token[:1] in SIGNS and token[1:2] == "_" and token[2:]:
            yield key_of(token[2:])


def _after(tokens: Sequence[Token], kinds: set[str]) -> Iterator[str]:
    """The names that directly follow certain words."""
    for position, token in enumerate(tokens[1:]):
        if token.type == "NAME" and tokens[position].type in kinds:
            yield key_of(token)
