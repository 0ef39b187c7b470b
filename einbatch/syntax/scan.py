"""From characters to the tokens of the grammar's rules.

The grammar's terminals cut the text into raw tokens; `Scanner` drops comments
and the line ends inside brackets, turns indentation into INDENT and DEDENT, and
lets `words` say what kind of word each word is. It works lazily, so the first
error of the text is the one that is raised, whoever finds it.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import copy
from typing import ClassVar, cast

from lark.common import LexerConf
from lark.lexer import BasicLexer, Lexer, LexerState, LexerThread, Token

from einbatch.diagnostics import EinbatchError, Source, Span, fail
from einbatch.syntax.spelling import unknown_character
from einbatch.syntax.words import classify, program_indices

NESTING = 200
"""How deep brackets, and the operators of an expression, may stand inside each other."""

OPENERS = frozenset({"OPEN", "OPEN_SQUARE", "OPEN_CURLY", "SUBSCRIPT"})
CLOSERS = frozenset({"CLOSE", "CLOSE_SQUARE", "CLOSE_CURLY"})


class Scanner(Lexer):
    """The lexer that lark's parser is given; it reads a `Source`."""

    __future_interface__: ClassVar[int] = 2

    def __init__(self, conf: LexerConf) -> None:
        seen = copy(conf)
        seen.ignore = ("BLANK",)
        self._terminals = BasicLexer(seen)

    def lex(self, lexer_state: LexerState, parser_state: object) -> Iterator[Token]:
        """The tokens of the `Source` that lark was given as its text, each with its span."""
        # lark leaves these three untyped.
        source = cast("Source", lexer_state.text)  # pyright: ignore[reportUnknownMemberType]
        thread = LexerThread.from_text(self._terminals, source.text)  # pyright: ignore[reportUnknownMemberType]
        raw = list(thread.lex(None))  # pyright: ignore[reportUnknownMemberType]
        return classify(_layout(raw, source), program_indices(raw), source)


def _layout(raw: list[Token], source: Source) -> Iterator[Token]:
    """Raw tokens without comments, with one NEWLINE a statement, and with indentation."""
    blocks = [Token("NEWLINE", "", 0, end_pos=0)]
    line: Token | None = blocks[0]
    depth = 0
    for token in raw:
        if token.type == "NEWLINE":
            if depth == 0:
                if line is None:
                    yield token
                line = token
            continue
        if token.type == "COMMENT":
            continue
        if token.type == "UNKNOWN":
            raise unknown_character(_span(token, source))
        if line is not None:
            yield from _indentation(line, token, blocks, source)
            line = None
        if token.type in OPENERS:
            depth += 1
            if depth > NESTING:
                raise _too_deep(token, source)
        elif token.type in CLOSERS:
            depth = max(0, depth - 1)
        yield token
    end = len(source.text)
    if line is None:
        yield Token("NEWLINE", "", end, end_pos=end)
    for _ in blocks[1:]:
        yield Token("DEDENT", "", end, end_pos=end)


def _indentation(line: Token, first: Token, blocks: list[Token], source: Source) -> Iterator[Token]:
    """What the indentation of a line's first token opens or closes; `blocks` is kept up to date."""
    indent = _indent(line, first, source)
    start = _start(first)
    opened = _indent_text(blocks[-1])
    if indent == opened:
        return
    if indent.startswith(opened):
        if " " in opened + indent and "\t" in opened + indent:
            raise _mixed(start - len(indent), start, source)
        blocks.append(Token("NEWLINE", "\n" + indent, start - len(indent), end_pos=start))
        yield Token("INDENT", indent, start - len(indent), end_pos=start)
        return
    while len(blocks) > 1 and len(_indent_text(blocks[-1])) > len(indent):
        blocks.pop()
        yield Token("DEDENT", "", start, end_pos=start)
    if _indent_text(blocks[-1]) != indent:
        if "\t" in indent or "\t" in _indent_text(blocks[-1]) or "\t" in opened:
            raise _mixed(start - len(indent), start, source)
        raise fail(
            "E0109",
            "this line's indentation is that of no line above",
            (Span(source, max(0, start - len(indent)), start), "stands here"),
            help="align it with the statement that it should follow",
        )


def _indent(line: Token, first: Token, source: Source) -> str:
    begin = source.text.rfind("\n", 0, _start(first)) + 1
    return source.text[begin : _start(first)].lstrip("\ufeff")


def _indent_text(block: Token) -> str:
    return block.lstrip("\r\n")


def _start(token: Token) -> int:
    return token.start_pos or 0


def _span(token: Token, source: Source) -> Span:
    return Span(source, _start(token), token.end_pos or _start(token))


def _mixed(start: int, end: int, source: Source) -> EinbatchError:
    return fail(
        "E0109",
        "tabs and spaces are mixed in the indentation",
        (Span(source, start, end), "here"),
        help="indent with spaces alone (einbatch fmt does)",
    )


def _too_deep(token: Token, source: Source) -> EinbatchError:
    return fail(
        "E0106",
        f"brackets stand more than {NESTING} deep inside each other",
        (_span(token, source), f"the {NESTING + 1}st open bracket"),
        help="give a part of the expression a statement of its own",
    )
