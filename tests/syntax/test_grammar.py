"""The grammar has no conflict, and one file holds it."""

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

import lark
import pytest
from lark import Lark, logger
from lark.exceptions import GrammarError, LexError

from einbatch.diagnostics import Source
from einbatch.syntax import grammar
from einbatch.syntax.expected import KEYWORDS, STARTERS
from einbatch.syntax.grammar import grammar_text
from einbatch.syntax.parse import OPTIONS

parse = import_module("einbatch.syntax.parse")  # the package has its function by that name


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


def test_the_tables_are_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    made: list[str] = []
    monkeypatch.setattr(parse, "TABLES", tmp_path / "ein.tables")
    real = lark.lark.load_grammar
    monkeypatch.setattr(lark.lark, "load_grammar", lambda *a: made.append("") or real(*a))

    def statements() -> object:
        return parse.parser.__wrapped__().parse(Source("t", "y = σ(x)²\n"))

    first = statements()
    assert statements() == first
    assert len(made) == 1
    stored = (tmp_path / "ein.tables").read_bytes()
    for damaged in (stored[:40_000], b"", b"0" * 64 + stored[64:]):  # the last: of another grammar
        (tmp_path / "ein.tables").write_bytes(damaged)
        assert statements() == first
        assert (tmp_path / "ein.tables").read_bytes()[:64] == stored[:64]
    assert len(made) == 4


def test_a_folder_that_cannot_be_written_keeps_no_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(parse, "TABLES", tmp_path / "no folder" / "ein.tables")
    assert parse.parser.__wrapped__().parse(Source("t", "y = 1\n"))
