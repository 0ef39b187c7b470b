"""Text to tree: the grammar, the scanner and the builder put together."""

from __future__ import annotations

from functools import cache

from lark import Lark
from lark.exceptions import UnexpectedToken

from einbatch.diagnostics import Source
from einbatch.syntax.build import Builder
from einbatch.syntax.grammar import grammar_text
from einbatch.syntax.nodes import Statement, Tree
from einbatch.syntax.notes import find_notes
from einbatch.syntax.report import syntax_error
from einbatch.syntax.scan import Scanner
from einbatch.syntax.source import check_text


@cache
def _parser() -> Lark:
    return Lark(
        grammar_text(),
        parser="lalr",
        lexer=Scanner,
        start="program",
        transformer=Builder(),
        keep_all_tokens=True,
        maybe_placeholders=False,
    )


def _pattern(terminal: str) -> str:
    (found,) = (item for item in _parser().terminals if item.name == terminal)
    return found.pattern.to_regexp()


def parse(source: Source) -> Tree:
    """The tree of a program's text; EinbatchError with the first syntax error if it has one."""
    check_text(source)
    try:
        statements: tuple[Statement, ...] = _parser().parse(source)  # type: ignore
    except UnexpectedToken as error:
        raise syntax_error(error, source) from None
    comments, blank_lines = find_notes(source, _pattern("COMMENT"), _pattern("STRING"))
    return Tree(statements, comments, blank_lines)
