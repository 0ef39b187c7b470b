"""What kind of word a word is: decided by its neighbours, never by what was declared.

A word before `(` may be a function, one before `[` a tensor or a reduction, and
`sum_i` is a reduction where `i` is one of the program's indices.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import cast

from lark.lexer import Token

from einbatch.diagnostics import EinbatchError, Source, Span, fail
from einbatch.syntax.spelling import (
    CONSTANTS,
    FUNCTION_SPELLINGS,
    REDUCTION_SPELLINGS,
    SIGNS,
    check_name,
    key_of,
    small_digits,
    unknown_character,
)

DIGITS = 300
"""How many characters a number literal may have."""


class Lexeme(Token):
    """A token of the grammar's rules: its text is canonical, its span is where it stands."""

    __slots__ = ("span",)
    span: Span


def lexeme(kind: str, text: str, span: Span) -> Lexeme:
    """A token of a kind, with the text that the rules shall see."""
    made = cast("Lexeme", Lexeme.__new__(Lexeme, kind, text, span.start, end_pos=span.end))
    made.span = span
    return made


def program_indices(raw: Sequence[Token]) -> frozenset[str]:
    """The keys of every word that the text uses as an index, whatever stands where.

    Looks at `batch` and `index` declarations, `for` lists, `in` clauses, bare
    subscripts, and the lists of reductions.
    """
    tokens = [token for token in raw if token.type != "COMMENT"]
    found: set[str] = set()
    constants: set[str] = set()
    brackets: list[bool] = []
    listing = several = False
    for position, token in enumerate(tokens):
        before = tokens[position - 1] if position else token
        match token.type:
            case "BATCH" | "FOR" | "INDEX" | "SCAN":
                listing, several = not brackets, token.type == "INDEX"
            case "COLON" | "LESS":
                listing = False
            case "NEWLINE":
                if not brackets:
                    listing = several = False
            case "COMMA":
                listing = listing or (several and not brackets)
            case "OPEN" | "OPEN_SQUARE" | "OPEN_CURLY":
                brackets.append(token.type != "OPEN" and before.type == "NAME")
            case "CLOSE" | "CLOSE_SQUARE" | "CLOSE_CURLY":
                if brackets:
                    brackets.pop()
            case "NAME":
                key = key_of(token)
                if before.type == "LET":
                    constants.add(key)
                elif (
                    (listing and not brackets)
                    or before.type in {"IN", "ELEMENT_OF"}
                    or (brackets and brackets[-1] and _is_bare(tokens, position))
                ):
                    found.add(key)
                if token[:2] in _SIGN_PREFIXES and len(token) > 2:
                    found.add(key_of(token[2:]))
            case _:
                pass
    return frozenset(found - constants)


_SIGN_PREFIXES = {sign + "_" for sign in SIGNS}


def _is_bare(tokens: Sequence[Token], position: int) -> bool:
    before = tokens[position - 1].type
    after = tokens[position + 1].type if position + 1 < len(tokens) else ""
    return before in {"OPEN_SQUARE", "OPEN_CURLY", "COMMA"} and after in {
        "COMMA",
        "CLOSE_SQUARE",
        "CLOSE_CURLY",
    }


def program_definitions(raw: Sequence[Token]) -> frozenset[str]:
    """The keys of every word that stands after `def`."""
    tokens = [token for token in raw if token.type != "COMMENT"]
    return frozenset(
        key_of(word)
        for before, word in pairwise(tokens)
        if before.type == "DEF" and word.type == "NAME"
    )


@dataclass(frozen=True, slots=True)
class Known:
    """What a first pass over a text has found: its indices, and the names of its `def`s."""

    indices: frozenset[str]
    definitions: frozenset[str]


def classify(tokens: Iterator[Token], known: Known, source: Source) -> Iterator[Lexeme]:
    """The tokens that the rules see: every word with its kind, every `[` with its role."""
    before: Token | None = None
    token = next(tokens, None)
    while token is not None:
        after = next(tokens, None)
        span = Span(source, token.start_pos or 0, token.end_pos or 0)
        match token.type:
            case "NAME":
                yield from _word(token, after, known, span)
            case "OPEN_SQUARE" if before is not None and _subscripts(before, token):
                yield lexeme("SUBSCRIPT", token, span)
            case "NUMBER":
                yield _number(token, span)
            case "SUPERSCRIPT":
                yield lexeme("SUPERSCRIPT", small_digits(token), span)
            case "UNKNOWN":
                raise unknown_character(span)
            case "EXTENT":
                inner = token[1:-1].strip(" \t")
                start = span.start + token.index(inner, 1)
                place = Span(source, start, start + len(inner))
                check_name(inner, place)
                yield lexeme("EXTENT", key_of(inner), span)
            case _:
                yield lexeme(token.type, token, span)
        before, token = token, after


def _subscripts(before: Token, bracket: Token) -> bool:
    """Whether `[` belongs to the word before it."""
    if before.type != "NAME":
        return False
    return before.end_pos == bracket.start_pos or key_of(before) in REDUCTION_SPELLINGS


def _word(word: Token, after: Token | None, known: Known, span: Span) -> Iterator[Lexeme]:
    reduction = _subscripted(word, after, known.indices)
    if reduction:
        split = span.start + len(reduction) + 1
        if split == span.end and (after is None or after.type != "OPEN_CURLY"):
            raise _lonely_reduction(word, span)
        yield lexeme(
            "REDUCED", REDUCTION_SPELLINGS[reduction], Span(span.source, span.start, split)
        )
        if split < span.end:
            rest = Span(span.source, split, span.end)
            check_name(rest.text, rest)
            yield lexeme("NAME", key_of(rest.text), rest)
        return
    if word in CONSTANTS and not _is_adjacent_square(word, after):
        yield lexeme("NAME", CONSTANTS[word], span)
        return
    if word[0] in "∑∏" and len(word) > 1:
        raise _lonely_reduction(word, Span(span.source, span.start, span.start + 1))
    if word not in SIGNS:
        check_name(word, span)
    key = key_of(word)
    kind = "NAME"
    if key in known.definitions and after is not None and after.type == "OPEN":
        kind = "FUNCTION"
    elif key in known.definitions and _is_adjacent_square(word, after):
        kind = "LAYER"
    elif key in FUNCTION_SPELLINGS and after is not None and after.type == "OPEN":
        kind, key = "FUNCTION", FUNCTION_SPELLINGS[key]
    elif key in REDUCTION_SPELLINGS:
        kind, key = "REDUCTION", REDUCTION_SPELLINGS[key]
    elif key in FUNCTION_SPELLINGS and not _is_adjacent_square(word, after):
        raise fail(
            "E0117",
            f"`{word}` is a function and stands here without its argument",
            (span, "no `(` follows"),
            help=f"write `{word}(x)`; a tensor of this name needs its subscripts, `{word}[i]`",
        )
    yield lexeme(kind, key, span)


def _subscripted(word: Token, after: Token | None, indices: frozenset[str]) -> str:
    """The reduction's spelling if a word is a reduction with its index, `sum_i`; else nothing."""
    for name in REDUCTION_SPELLINGS:
        if not word.startswith(name + "_"):
            continue
        rest = key_of(word[len(name) + 1 :])
        braced = not rest and after is not None and after.type == "OPEN_CURLY"
        if name in SIGNS or rest in indices or braced:
            return name
    return ""


def _is_adjacent_square(word: Token, after: Token | None) -> bool:
    return after is not None and after.type == "OPEN_SQUARE" and after.start_pos == word.end_pos


def _lonely_reduction(word: str, span: Span) -> EinbatchError:
    sign = word.partition("_")[0] if word.endswith("_") else word[0]
    return fail(
        "E0116",
        f"`{sign}` needs the indices that it runs over",
        (span, "no index"),
        help=f"write `{sign}[i](e)`, or `{sign}_i e`",
    )


def _number(token: Token, span: Span) -> Lexeme:
    text = re.sub("−", "-", token)
    if len(text) > DIGITS or float(text) == float("inf"):
        raise fail(
            "E0107",
            "this number is too large" if len(text) <= DIGITS else "this number is too long",
            (span, f"at most {DIGITS} characters, and below 1.8e308"),
            help="scale the quantity, or write `inf`",
        )
    return lexeme("NUMBER", text, span)
