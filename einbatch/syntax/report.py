"""A token that no rule takes, told in words.

Each case knows one mistake that people make, and says what to write instead;
what none of them knows is told as what was found and what could stand there.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from typing import cast

from lark import Tree
from lark.exceptions import UnexpectedToken
from lark.lexer import Token

from einbatch.diagnostics import EinbatchError, Source, Span, fail
from einbatch.ir.primitives import FUNCTIONS
from einbatch.syntax import nodes as n
from einbatch.syntax.expected import ASSIGNMENTS, KEYWORDS, PAIRS, STARTERS
from einbatch.syntax.mistake import Mistake, unexpected
from einbatch.syntax.parts import Part
from einbatch.syntax.scan import CLOSERS
from einbatch.syntax.words import Lexeme


def syntax_error(error: UnexpectedToken, source: Source) -> EinbatchError:
    """The diagnostic for the token at which lark's parser stopped."""
    mistake = _mistake(error, source)
    for case in CASES:
        told = case(mistake)
        if told is not None:
            return told
    return unexpected(mistake)


def _mistake(error: UnexpectedToken, source: Source) -> Mistake:
    token: Token = error.token
    end = len(source.text)
    span = token.span if isinstance(token, Lexeme) else Span(source, end, end)
    parser = error.interactive_parser
    assert parser is not None
    # lark leaves the stack's type open.
    values = cast("list[object]", parser.parser_state.value_stack)  # pyright: ignore[reportUnknownMemberType]
    before = tuple(item for item in map(_newest, values) if item is not None)
    # Asking what the parser would take copies its stack; the values play no part in it.
    values.clear()
    return Mistake(token.type, span, frozenset(error.accepts), before)


def _newest(value: object) -> Lexeme | Part | None:
    """The last token or part of what is on the parser's stack: a list in the making is a Tree."""
    while isinstance(value, Tree):
        children = cast("list[object]", value.children)
        if not children:
            return None
        value = children[-1]
    return value if isinstance(value, Lexeme | Part) else None


# --- brackets and indentation


def _bracket(mistake: Mistake) -> EinbatchError | None:
    opener = mistake.opener
    if opener is None:
        if mistake.kind not in CLOSERS:
            return None
        return fail(
            "E0108",
            f"`{mistake.span.text}` closes a bracket that is not open",
            (mistake.span, "closes nothing"),
            help="remove it, or open the bracket before",
        )
    closer = PAIRS[opener.type]
    shown = opener.span.text
    if mistake.kind in CLOSERS and mistake.kind != closer[0]:
        return fail(
            "E0108",
            f"`{shown}` is closed by `{mistake.span.text}`",
            (mistake.span, f"expected `{closer[1]}`"),
            (opener.span, "opened here"),
            help=f"close it with `{closer[1]}`",
        )
    ends = mistake.kind in {"NEWLINE", "DEDENT", "$END"} and not mistake.span.text.strip()
    runs_on = mistake.kind in ASSIGNMENTS | STARTERS and mistake.span.line > opener.span.line
    if not ends and not runs_on:
        return None
    noticed = [] if ends else [(mistake.span, "noticed here")]
    return fail(
        "E0108",
        f"`{shown}` is never closed",
        (opener.span, "opened here"),
        *noticed,
        help=f"close it with `{closer[1]}`; inside brackets a statement goes on over lines",
    )


def _indentation(mistake: Mistake) -> EinbatchError | None:
    if mistake.accepts == frozenset({"INDENT"}):
        colon = [item for item in mistake.before if isinstance(item, Lexeme) and item == ":"][-1]
        return fail(
            "E0109",
            "`for` has no statement",
            (colon.span, "nothing follows, here or indented below"),
            help="write one after the `:`, or indent those that it stands for",
        )
    if mistake.kind != "INDENT":
        return None
    return fail(
        "E0109",
        "this line is indented, but no `for` begins a block here",
        (mistake.span, "unexpected indentation"),
        help="remove the indentation; a statement goes on over lines inside brackets only",
    )


# --- numbers and powers


def _number(mistake: Mistake) -> EinbatchError | None:
    if mistake.kind != "NUMBER" or "STAR" not in mistake.accepts or mistake.last is None:
        return None
    return fail(
        "E0110",
        "a number stands straight after a factor",
        (mistake.span, "a second factor, or a part of the number?"),
        (mistake.last.span, "the factor"),
        help=f"multiply with `*`: `{_short(mistake.last.span)}*{mistake.span.text}`; "
        "digits are not grouped by spaces",
    )


def _superscript(mistake: Mistake) -> EinbatchError | None:
    if mistake.kind != "SUPERSCRIPT":
        return None
    before = mistake.last
    power = f"^{mistake.span.text.translate(_PLAIN)}"
    if before is None or before.span.end != mistake.span.start:
        return fail(
            "E0112",
            f"`{mistake.span.text}` is a power of nothing",
            (mistake.span, "no `)`, `]`, `|i|` or number stands before it"),
            help=f"write `{power}` after what it is a power of",
        )
    return fail(
        "E0112",
        f"`{mistake.span.text}` cannot be a power here",
        (mistake.span, "a superscript is a power after `)`, `]`, `|i|` or a number"),
        help=f"write `{_short(before.span)}{power}`; after a name, small digits belong to the name",
    )


_PLAIN = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")


# --- names


def _keyword(mistake: Mistake) -> EinbatchError | None:
    word, span = mistake.kind, mistake.span
    after_keyword = mistake.last_kind in STARTERS and mistake.kind in ASSIGNMENTS | {"OPEN_SQUARE"}
    if after_keyword and isinstance(mistake.last, Lexeme):
        word, span = mistake.last_kind, mistake.last.span
    elif "NAME" not in mistake.accepts or word not in KEYWORDS:
        return None
    elif word in STARTERS:
        if "FOR" in mistake.accepts:
            return unexpected(mistake, "under `for` stand assignments and further `for`")
    elif mistake.accepts & {"NUMBER", "STAR", "LET"}:
        return None
    return fail(
        "E0113",
        f"`{span.text}` is a word of the language and cannot be a name",
        (span, "stands where a name is expected"),
        help=f"choose another name, such as `{span.text}_` or `{span.text}0`",
    )


def _reserved(mistake: Mistake) -> EinbatchError | None:
    if "NAME" not in mistake.accepts:
        return None
    shown = mistake.span.text
    if mistake.kind == "REDUCTION":
        return fail(
            "E0114",
            f"`{shown}` is a reduction and cannot be a name",
            (mistake.span, "stands where a name is expected"),
            help=f"choose another name, such as `{shown}_` or `{shown}0`",
        )
    if mistake.kind == "REDUCED":
        return fail(
            "E0115",
            f"a name that begins with `{shown}` reads as a reduction here",
            (mistake.span, "what follows is an index of the program"),
            help=f"choose a name that does not read as `{shown.rstrip('_')}` over an index",
        )
    if mistake.kind == "FUNCTION":
        return fail(
            "E0117",
            f"`{shown}` is a function and cannot be a name without subscripts",
            (mistake.span, "stands where a name is expected"),
            help=f"choose another name, such as `{shown}0`",
        )
    return None


def _spaced_subscript(mistake: Mistake) -> EinbatchError | None:
    if mistake.kind != "OPEN_SQUARE" or "SUBSCRIPT" not in mistake.accepts:
        return None
    return unexpected(mistake, "a subscript follows its name without a space")


# --- reductions, functions and conditions


def _reduction(mistake: Mistake) -> EinbatchError | None:
    if mistake.last_kind in {"REDUCTION", "REDUCED"} and mistake.last is not None:
        shown = mistake.last.span.text
        return fail(
            "E0116",
            f"`{shown}` needs the indices that it runs over",
            (mistake.last.span, f"followed by {mistake.found}"),
            help=f"write `{shown.rstrip('_')}[i](e)`, or `{shown.rstrip('_')}_i e`",
        )
    kinds = [item.type if isinstance(item, Lexeme) else "" for item in mistake.before[-2:]]
    if kinds == ["REDUCED", "NAME"] and mistake.kind == "COMMA":
        sign = mistake.before[-2].span.text
        return unexpected(mistake, f"several indices stand in braces: `{sign}{{i,j}} e`")
    if mistake.accepts == frozenset({"OPEN"}) and mistake.last_kind == "CLOSE_SQUARE":
        return unexpected(mistake, "what is reduced stands in parentheses: `sum[i](e)`")
    return None


def _no_function(mistake: Mistake) -> EinbatchError | None:
    if mistake.kind != "COMMA" or mistake.opener is None or mistake.opener.type != "OPEN":
        return None
    before = mistake.before[: mistake.before.index(mistake.opener)]
    name = before[-1] if before else None
    if not isinstance(name, Part) or not isinstance(name.node, n.Name):
        return None
    word = name.span.text
    known = sorted(FUNCTIONS)
    near = get_close_matches(word, known, 1)
    return fail(
        "E0120",
        f"`{word}` is no function, so `(` multiplies and takes no comma",
        (mistake.span, "expected `)`"),
        (name.span, "no function of the language"),
        help=f"is `{near[0]}` meant?" if near else f"the functions are {', '.join(known)}",
    )


def _condition(mistake: Mistake) -> EinbatchError | None:
    if mistake.kind in {"IF", "NOT"} and "NUMBER" in mistake.accepts:
        return unexpected(mistake, f"put the whole `{mistake.span.text} …` in parentheses")
    if "ELSE" in mistake.accepts and mistake.kind != "THEN":
        return unexpected(mistake, "every `if` has its `else`: `if c then a else b`")
    if mistake.kind == "IF" and "LET" in mistake.accepts:
        return unexpected(mistake, "an `if` is an expression: `T[i] = if c then a else b`")
    if mistake.kind == "SAME" and "EQUAL" in mistake.accepts:
        return unexpected(mistake, "`=` gives a value; `==` compares, in conditions")
    if mistake.kind == "AT_MOST" and "LESS" in mistake.accepts:
        return unexpected(mistake, "`i < 8` runs from 0 to 7; an extent always stands after `<`")
    return None


def _short(span: Span) -> str:
    text = span.text
    return text if len(text) <= 20 else "…"


CASES: tuple[Callable[[Mistake], EinbatchError | None], ...] = (
    _reduction,
    _bracket,
    _indentation,
    _number,
    _superscript,
    _keyword,
    _reserved,
    _spaced_subscript,
    _no_function,
    _condition,
)
