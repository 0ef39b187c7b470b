"""The kinds of tokens in human words."""

from __future__ import annotations

from einbatch.diagnostics import Span

ASSIGNMENTS = frozenset(
    {"EQUAL", "ADD_TO", "SUBTRACT_FROM", "MULTIPLY_INTO", "MAX_INTO", "MIN_INTO"}
)

STARTERS = frozenset(
    {"BATCH", "INDEX", "LET", "INPUT", "PARAM", "STATE", "DTYPE", "FOR", "SCAN", "DEF"}
    | {"MINIMIZE", "MAXIMIZE", "REPORT", "TRAIN"}
)
"""The words that a statement begins with."""

KEYWORDS = STARTERS | {"IN", "FROM", "IF", "THEN", "ELSE", "AND", "OR", "NOT"}

PAIRS = {
    "OPEN": ("CLOSE", ")"),
    "OPEN_SQUARE": ("CLOSE_SQUARE", "]"),
    "SUBSCRIPT": ("CLOSE_SQUARE", "]"),
    "OPEN_CURLY": ("CLOSE_CURLY", "}"),
}
"""Each bracket that opens, with the kind and the character that close it."""

_OPERANDS = {
    *("NUMBER", "NAME", "OPEN", "OPEN_SQUARE", "EXTENT"),
    *("FUNCTION", "LAYER", "REDUCTION", "REDUCED"),
}
_RELATIONS = {"EQUAL", "SAME", "DIFFERENT", "LESS", "AT_MOST", "GREATER", "AT_LEAST"}
_OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "CARET", "SUPERSCRIPT", "AND", "OR"} | _RELATIONS

_GROUPS = (
    ({"LET", "FOR"}, STARTERS | {"NAME", "OPEN", "$END"}, "a statement"),
    ({"FOR", "NAME"}, {"FOR", "SCAN", "NAME", "OPEN", "NEWLINE"}, "an assignment or another `for`"),
    ({"NUMBER", "OPEN"}, _OPERANDS | {"MINUS", "IF", "NOT"}, "an expression"),
    ({"STAR", "PLUS"}, _OPERATORS | _OPERANDS | {"SUBSCRIPT"}, "an operator"),
    ({"STAR", "SLASH"}, _OPERATORS | _OPERANDS | {"SUBSCRIPT"}, "an operator"),
    ({"EQUAL", "ADD_TO"}, ASSIGNMENTS, "`=` or another assignment"),
    ({"IN", "ELEMENT_OF"}, {"ELEMENT_OF"}, ""),
)
"""Kinds that show together where a group is meant, all kinds of the group, and its words."""

_WORDS = {
    "NAME": "a name",
    "FUNCTION": "`f(x)`",
    "LAYER": "`f[i](x)`",
    "NUMBER": "a number",
    "STRING": "a file's name in `\"`",
    "NEWLINE": "the end of the line",
    "INDENT": "an indented line",
    "DEDENT": "the end of the block",
    "$END": "the end of the file",
    "SUBSCRIPT": "`[`",
    "OPEN": "`(`",
    "OPEN_SQUARE": "`[`",
    "OPEN_CURLY": "`{`",
    "CLOSE": "`)`",
    "CLOSE_SQUARE": "`]`",
    "CLOSE_CURLY": "`}`",
    "COMMA": "`,`",
    "COLON": "`:`",
    "TILDE": "`~`",
    "EQUAL": "`=`",
    "LESS": "`<`",
}


def describe(kind: str, span: Span) -> str:
    """What was found, for a message."""
    if kind in {"NEWLINE", "INDENT", "DEDENT", "$END"}:
        return _WORDS[kind]
    text = span.text if len(span.text) <= 40 else span.text[:39] + "…"
    return f"`{text}`"


def expected(kinds: frozenset[str]) -> str:
    """What could have stood there, for a message."""
    left = set(kinds)
    words: list[str] = []
    for signs, members, name in _GROUPS:
        if signs <= left:
            left -= members
            words += [name] * bool(name)
    words += sorted(_WORDS.get(kind, f"`{kind.lower()}`") for kind in left)
    *most, last = words or ["nothing more"]
    return f"{', '.join(most)} or {last}" if most else last
