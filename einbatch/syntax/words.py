"""What kind of word a word is: decided by its neighbours, never by what was declared.

A word before `(` may be a function, one before `[` a tensor or a reduction, and
`sum_i` is a reduction where `i` is one of the program's indices.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from lark.lexer import Token

from einbatch.diagnostics import EinbatchError, Source, Span, fail
from einbatch.syntax.indices import Known, subscripts
from einbatch.syntax.spelling import (
    CONSTANTS,
    FUNCTION_SPELLINGS,
    REDUCTION_SPELLINGS,
    SIGNS,
    ascii_number,
    check_name,
    key_of,
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


def classify(tokens: Iterator[Token], known: Known, source: Source) -> Iterator[Lexeme]:
    """The tokens that the rules see: every word with its kind, every `[` with its role."""
    before: Token | None = None
    minimized = False
    token = next(tokens, None)
    while token is not None:
        after = next(tokens, None)
        span = Span(source, token.start_pos or 0, token.end_pos or 0)
        if token.type in ("MINIMIZE", "MAXIMIZE", "NEWLINE"):
            minimized = token.type != "NEWLINE"
        match token.type:
            case "NAME" if token == "over" and minimized and _is_end(before):
                yield lexeme("OVER", token, span)
            case "NAME":
                yield from _word(token, after, known, span)
            case "OPEN_SQUARE" if before is not None and subscripts(before, token):
                yield lexeme("SUBSCRIPT", token, span)
            case "NUMBER" | "SUPERSCRIPT":
                yield _number(token, span)
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


def _is_end(token: Token | None) -> bool:
    """True where an objective may end, so that `over` is no name."""
    return token is not None and token.type in ("NAME", "CLOSE_SQUARE")


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
    text = ascii_number(token)
    if len(text) > DIGITS or abs(float(text)) == float("inf"):
        raise fail(
            "E0107",
            "this number is too large" if len(text) <= DIGITS else "this number is too long",
            (span, f"at most {DIGITS} characters, and below 1.8e308"),
            help="scale the quantity, or write `inf`",
        )
    return lexeme(token.type, text, span)
