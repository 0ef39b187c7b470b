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
from einbatch.syntax.indices import Known, program_definitions, program_indices
from einbatch.syntax.words import classify

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
        # A test validates the terminals; here it would only cost time at every start.
        seen.skip_validation = True
        self._terminals = BasicLexer(seen)

    def lex(self, lexer_state: LexerState, parser_state: object) -> Iterator[Token]:
        """The tokens of the `Source` that lark was given as its text, each with its span."""
        # lark leaves these three untyped.
        source = cast("Source", lexer_state.text)  # pyright: ignore[reportUnknownMemberType]
        thread = LexerThread.from_text(self._terminals, source.text)  # pyright: ignore[reportUnknownMemberType]
        raw = list(thread.lex(None))  # pyright: ignore[reportUnknownMemberType]
        known = Known(program_indices(raw), program_definitions(raw))
        return classify(_layout(raw, source), known, source)


def _layout(raw: list[Token], source: Source) -> Iterator[Token]:
    """Raw tokens without comments, with one NEWLINE a statement, and with indentation."""
    blocks = [""]
    begins = True
    depth = 0
    for token in raw:
        if token.type == "NEWLINE":
            if depth == 0 and not begins:
                yield token
                begins = True
            continue
        if token.type == "COMMENT":
            continue
        if begins:
            yield from _indentation(_span(token, source).start, blocks, source)
            begins = False
        if token.type in OPENERS:
            depth += 1
            if depth > NESTING:
                raise _too_deep(_span(token, source))
        elif token.type in CLOSERS:
            depth = max(0, depth - 1)
        yield token
    end = len(source.text)
    if not begins:
        yield Token("NEWLINE", "", end, end_pos=end)
    for _ in blocks[1:]:
        yield Token("DEDENT", "", end, end_pos=end)


def _indentation(start: int, blocks: list[str], source: Source) -> Iterator[Token]:
    """What a line that begins at `start` opens or closes; `blocks` holds the open indentations."""
    line = source.text.rfind("\n", 0, start) + 1
    indent = source.text[line:start].lstrip("\ufeff")
    place = Span(source, start - len(indent), start)
    if len(set(indent + blocks[-1])) > 1 or indent.strip(" \t"):
        raise _mixed(place)
    if len(indent) > len(blocks[-1]):
        blocks.append(indent)
        yield Token("INDENT", indent, place.start, end_pos=start)
        return
    while len(blocks[-1]) > len(indent):
        blocks.pop()
        yield Token("DEDENT", "", start, end_pos=start)
    if len(blocks[-1]) < len(indent):
        raise fail(
            "E0109",
            "this line's indentation is that of no line above",
            (place, "stands here"),
            help="align it with the statement that it should follow",
        )


def _span(token: Token, source: Source) -> Span:
    return Span(source, token.start_pos or 0, token.end_pos or 0)


def _mixed(place: Span) -> EinbatchError:
    return fail(
        "E0109",
        "the indentation mixes tabs, spaces or other blanks",
        (place, "here"),
        help="indent with spaces alone, as `einbatch fmt` does",
    )


def _too_deep(place: Span) -> EinbatchError:
    return fail(
        "E0106",
        f"brackets stand more than {NESTING} deep inside each other",
        (place, f"bracket {NESTING + 1}"),
        help="give a part of the expression a statement of its own",
    )
