"""The grammar has no conflict, and one file holds it."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lark import Lark, logger
from lark.exceptions import GrammarError, LexError

from einbatch.syntax import grammar
from einbatch.syntax.expected import KEYWORDS, STARTERS
from einbatch.syntax.grammar import grammar_text
from einbatch.syntax.parse import OPTIONS


def conflicts(text: str, **options: object) -> list[str]:
    """What lark says about the conflicts of a grammar; it resolves shift/reduce silently."""
    with _listening() as said:
        try:
            Lark(text, debug=True, **options)
        except GrammarError as error:
            said.append(str(error))
    return [item for item in said if re.search("conflict|collision", item.lower())]


@contextmanager
def _listening() -> Iterator[list[str]]:
    said: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: said.append(record.getMessage())
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def test_the_grammar_has_no_conflict():
    assert conflicts(grammar_text(), **OPTIONS) == []


@pytest.mark.parametrize(
    "text",
    [
        'program: e\ne: e "+" e | "a"\n',
        'program: s\ns: "if" s | "if" s "else" s | "a"\n',
        "program: a | b\na: A\nb: A\nA: /a/\n",
    ],
)
def test_a_conflict_would_be_seen(text: str):
    assert conflicts(text, parser="lalr", start="program")


def test_a_conflict_in_this_very_grammar_would_be_seen():
    broken = grammar_text().replace("_times: STAR | SLASH", "_times: STAR | SLASH | MINUS")
    assert broken != grammar_text()
    assert conflicts(broken, **OPTIONS)


def test_the_terminals_are_valid():
    assert Lark(grammar_text(), **(OPTIONS | {"lexer": "basic"}))
    with pytest.raises(LexError):
        Lark(grammar_text() + "EMPTY: /a?/\n%ignore EMPTY\n", **(OPTIONS | {"lexer": "basic"}))


def test_every_keyword_of_the_grammar_can_be_told():
    terminals = Lark(grammar_text(), **OPTIONS).terminals
    words = {item.name for item in terminals if item.name.lower() == item.pattern.value}
    assert words == KEYWORDS
    assert STARTERS <= KEYWORDS


def test_the_packaged_grammar_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grammar, "files", lambda package: tmp_path / package)
    assert grammar_text().startswith("// The grammar")
    packaged = tmp_path / "einbatch" / "grammar" / "ein.lark"
    packaged.parent.mkdir(parents=True)
    packaged.write_text("// packaged", encoding="utf-8")
    assert grammar_text() == "// packaged"
