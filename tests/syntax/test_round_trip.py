"""The printer's laws, over random trees and over trees with a text's noise."""

import re
from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from einbatch.diagnostics import EinbatchError, Source
from einbatch.syntax import format_source, nodes, parse, unparse
from tests.syntax.trees import (
    CONTEXTS,
    X,
    Y,
    expressions,
    statements,
    trees,
    trees_with_definitions,
)

SPELLINGS = {
    "*": ["*", "·", " × ", "⋅", " ∗"],
    "^": ["^", "**"],
    "<=": ["≤"],
    ">=": ["≥"],
    "!=": ["≠"],
    "-": ["−"],
    "inf": ["∞"],
    "pi": ["π"],
    " in ": [" ∈ "],
    "sigmoid(": ["σ(", "σ ("],
    "log(": ["ln("],
    "sum[": ["Σ[", "∑["],
    "prod[": ["Π[", "∏["],
}


def read(text: str) -> nodes.Tree:
    return parse(Source("test.ein", text))


@settings(max_examples=400)
@given(trees)
def test_what_is_printed_parses_to_the_same_tree(tree: nodes.Tree):
    assert read(unparse(tree)) == tree


@given(trees_with_definitions())
def test_definitions_and_their_calls_print_right(tree: nodes.Tree):
    text = unparse(tree)
    assert read(text) == tree
    assert format_source(Source("test.ein", text)) == text


def test_every_nesting_of_three_operators_prints_right():
    nested = [
        first(second(third(X))) for first, second, third in product(CONTEXTS, CONTEXTS, CONTEXTS)
    ]
    tree = nodes.Tree(tuple(nodes.Assign(Y, "=", expression) for expression in nested))
    assert read(unparse(tree)) == tree


@pytest.mark.parametrize("first", CONTEXTS)
def test_no_parenthesis_is_too_many(first: Callable[[nodes.Expression], nodes.Expression]):
    for second, third in product(CONTEXTS, CONTEXTS):
        _no_parenthesis_is_too_many(first(second(third(X))))


@given(expressions)
def test_no_parenthesis_is_too_many_in_any_expression(expression: nodes.Expression):
    _no_parenthesis_is_too_many(expression)


def _no_parenthesis_is_too_many(expression: nodes.Expression) -> None:
    text = f"x = {unparse(expression)}"
    if isinstance(expression, nodes.Otherwise):  # as a whole right side it keeps its own
        text = f"x = {unparse(expression)[1:-1]}"
    for opened in re.finditer(r"(?<![\w'\]])\(", text):
        closed = _closing(text, opened.start())
        inside = text[opened.end() : closed]
        without = f"{text[: opened.start()]} {inside} {text[closed + 1 :]}"
        assert _parses_otherwise(without, expression), f"`({inside})` in `{text}`"


def _closing(text: str, start: int) -> int:
    depth = 0
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place
    raise AssertionError(text)


def _parses_otherwise(text: str, expression: nodes.Expression) -> bool:
    try:
        (statement,) = read(text).statements
    except EinbatchError:
        return True
    assert isinstance(statement, nodes.Assign)
    return statement.value != expression


@given(statements)
def test_statements_print_alone(statement: nodes.Statement):
    assert read(unparse(statement) + "\n").statements == (statement,)


@given(trees)
def test_fmt_is_idempotent(tree: nodes.Tree):
    text = unparse(tree)
    assert format_source(Source("test.ein", text)) == text


@given(trees, st.data())
def test_other_spellings_and_notes_read_as_the_same_tree(tree: nodes.Tree, data: st.DataObject):
    noisy: list[str] = []
    comments = 0
    for line in unparse(tree).splitlines():
        if data.draw(st.booleans()):
            noisy.append(data.draw(st.sampled_from(["", "  ", "# note", "   # odd (place"])))
            comments += "#" in noisy[-1]
        quoted = '"' in line
        for plain, others in SPELLINGS.items():
            if not quoted and data.draw(st.booleans()):
                line = re.sub(_word(plain), data.draw(st.sampled_from(others)), line)
        if data.draw(st.booleans()):
            line += "  # why = ["
            comments += 1
        noisy.append(line)
    end = data.draw(st.sampled_from(["\n", "\r\n"]))
    text = data.draw(st.sampled_from(["", "\ufeff"])) + end.join(noisy) + end
    assert read(text) == tree
    printed = format_source(Source("test.ein", text))
    assert read(printed) == tree
    assert len(read(printed).comments) == comments
    assert format_source(Source("test.ein", printed)) == printed
    assert "\n\n\n" not in printed
    assert not printed.startswith("\n")
    assert not printed.endswith("\n\n")


def _word(plain: str) -> str:
    """The symbol where it is itself, and not a part of a longer symbol, a name or a numeral."""
    if plain.isalpha():
        return rf"(?<![\w.'\u0303]){plain}(?![\w.'\[\u0303])"
    if plain[0].isalpha():
        return rf"(?<![\w.'\u0303]){re.escape(plain)}"
    return rf"(?<![eE<>!=]){re.escape(plain)}(?!=)"


@given(st.text(max_size=60))
def test_any_text_is_a_program_or_an_error(text: str):
    _parses_or_fails(text)


SPACES = ["for b,i: ", "\n", "\n    ", "\n\t", "\n  ", "\0", "\ud800", "\r", "\u2028", "\u00a0"]
SYMBOLS = """
    ( ( ) ) [ ] { } , : = + - * / ^ | ² ⁻¹ # ' " . ~ < <= == += max= min= -= xᵢ →
    x W⁰ y' b i j h̃ σ exp max sum Σ_i softmax_j sum_ 1 2.5 3e5 |i| ∞ π W.grad
    for in from if then else and or not batch index let input param state dtype
    minimize report train sgd sgd(lr=0.1) normal(0,1) x[b,i] h[b,j]=
    scan down def stop f(x) f[i](x) (x[t-1] x[t+1] m[b]~bernoulli(0.9)
"""
WORDS = [*SYMBOLS.split(), *SPACES]


@settings(max_examples=600)
@given(st.lists(st.sampled_from(WORDS), max_size=25), st.sampled_from(["", " "]))
def test_any_words_are_a_program_or_an_error(words: list[str], gap: str):
    _parses_or_fails(gap.join(words))


def _parses_or_fails(text: str) -> None:
    try:
        tree = read(text)
    except EinbatchError as error:
        (found,) = error.diagnostics
        assert found.help
        assert found.labels
        assert str(error)
        return
    printed = format_source(Source("test.ein", text))
    assert read(printed) == tree
    assert format_source(Source("test.ein", printed)) == printed


@given(st.lists(st.sampled_from(WORDS), max_size=6), st.integers(0, 400))
def test_a_broken_program_is_an_error(words: list[str], place: int):
    text = (
        "batch b < B\nindex i < 3\ninput x[b,i]\nparam W[i] = [1, 2, 3]\n"
        "for b,i:\n    s[b] += W[i]*x[b,i]  # a sum\nfor b: loss[b] = s[b]^2/2\nminimize loss\n"
        "report big = mean[b]([s[b] > 0])\ntrain sgd(lr=0.1), batch=3\n"
        'input t[b] in i from "a.npz"\n'
    )
    assume(place < len(text))
    _parses_or_fails(text[:place] + " ".join(words) + text[place:])
    _parses_or_fails(text[:place] + " ".join(words) + text[place + 3 :])
