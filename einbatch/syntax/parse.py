"""Text to tree: the grammar, the scanner and the builder put together."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Literal, TypedDict, cast

from lark import Lark
from lark.exceptions import UnexpectedToken
from lark.lexer import Lexer, TerminalDef, Token

from einbatch.diagnostics import Source
from einbatch.syntax.build import Builder
from einbatch.syntax.grammar import grammar_text
from einbatch.syntax.nodes import Statement, Tree
from einbatch.syntax.notes import find_notes
from einbatch.syntax.report import syntax_error
from einbatch.syntax.scan import Scanner
from einbatch.syntax.source import check_text


class Options(TypedDict):
    """The options that the parser and the tests of the grammar share."""

    parser: Literal["lalr"]
    lexer: type[Lexer]
    start: str
    keep_all_tokens: bool
    maybe_placeholders: bool


OPTIONS: Options = {
    "parser": "lalr",
    "lexer": Scanner,
    "start": "program",
    "keep_all_tokens": True,
    "maybe_placeholders": False,
}
"""How lark reads the grammar."""
TABLES = Path(__file__).with_name(f"ein.{sys.implementation.cache_tag}.tables")
"""Where lark keeps its tables, which take it longer to make than all else that `check` does.

They are made as einbatch is installed, and again by whoever finds them made of another
grammar, by another lark or with other options; without a place to keep them, at each start.
"""


@cache
def parser() -> Lark:
    """The grammar's parser, with its tables from `TABLES`."""
    return Lark(grammar_text(), transformer=Builder(), cache=str(TABLES), **OPTIONS)


def terminals() -> Collection[TerminalDef]:
    """The grammar's terminals, each with its pattern."""
    return parser().terminals


def _pattern(terminal: str) -> str:
    (found,) = (item for item in terminals() if item.name == terminal)
    return found.pattern.to_regexp()


def parse(source: Source) -> Tree:
    """The tree of a program's text; EinbatchError with the first syntax error if it has one."""
    check_text(source)
    try:
        # lark's type tells of a tree of its own, where no transformer is given.
        statements = cast("tuple[Statement, ...]", parser().parse(source))  # pyright: ignore[reportUnknownMemberType]
    except UnexpectedToken as error:
        raise syntax_error(error, source) from None
    comments, blank_lines = find_notes(source, _pattern("COMMENT"), _pattern("STRING"))
    return Tree(statements, comments, blank_lines)


def read_tokens(source: Source) -> Iterator[Token]:
    """The tokens that the rules see, in order; EinbatchError at the first that fits no rule."""
    check_text(source)
    try:
        # As in `parse`; the tree that comes out of it is of no use here.
        steps = parser().parse_interactive(source)  # pyright: ignore[reportUnknownMemberType]
        yield from steps.iter_parse()
    except UnexpectedToken:
        parse(source)  # it says what is wrong
        raise
