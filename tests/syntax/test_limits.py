"""What is too deep, too long or too large is an error with its number, and quick."""

import pickle
import time

import pytest

from einbatch.diagnostics import EinbatchError, Source
from einbatch.syntax import nodes, parse, unparse
from einbatch.syntax.scan import NESTING
from einbatch.syntax.source import LARGEST
from tests.syntax.reading import code, error, read

NESTED = {
    "parentheses": lambda depth: "x = " + "(" * depth + "a" + ")" * depth,
    "subscripts": lambda depth: "x = " + "a[" * depth + "i" + "]" * depth,
    "calls": lambda depth: "x = " + "exp(" * depth + "a" + ")" * depth,
    "brackets": lambda depth: "x = " + "[" * depth + "a" + "]" * depth,
    "lists": lambda depth: "input x = " + "[" * depth + "a" + "]" * depth,
    "signs": lambda depth: "x = " + "-" * depth + "a",
    "signs of factors": lambda depth: "x = a*" + "-" * (depth - 1) + "a",
    "negations": lambda depth: "x = " + "not " * depth + "a",
    "powers": lambda depth: "x = " + "a^" * depth + "a",
    "conditions": lambda depth: "x = " + "if a then b else " * depth + "c",
    "consequents": lambda depth: "x = " + "if a then " * depth + "c" + " else b" * depth,
    "divisions": lambda depth: "x = a" + "/a" * depth,
    "mixed divisions": lambda depth: "x = a" + "/a*b" * depth,
    "reductions": lambda depth: "x = " + "Σ_i " * depth + "a",
    "loops": lambda depth: "for b: " * depth + "x = 1",
}


@pytest.mark.parametrize("kind", NESTED)
def test_nesting_has_a_limit(kind: str):
    tree = read(NESTED[kind](NESTING))
    assert read(unparse(tree)) == tree
    assert pickle.loads(pickle.dumps(tree)) == tree
    assert repr(tree)
    for depth in (NESTING + 1, 10_000):
        start = time.perf_counter()
        found = error(NESTED[kind](depth))
        assert time.perf_counter() - start < 5
        assert found.code == "E0106"
        assert str(NESTING) in found.message
        assert "^" in str(found)
        assert found.help


def test_nested_blocks_have_the_limit_too():
    text = "".join(" " * depth + "for b:\n" for depth in range(NESTING + 1))
    assert code(text + " " * (NESTING + 1) + "x = 1") == "E0106"


def test_ten_thousand_parentheses_never_closed():
    assert code("x = " + "(" * 10_000) == "E0106"
    assert code("x = " + ")" * 10_000) == "E0108"
    assert code("(" * 100) == "E0101"


def test_what_is_flat_is_not_nested():
    for text in (" + ".join(["a"] * 5000), "*".join(["a"] * 5000), " ".join(["a"] * 5000)):
        tree = read(f"x = {text}")
        assert read(unparse(tree)) == tree
    many = read("x = f[" + ",".join(["i"] * 5000) + "]")
    assert isinstance(many.statements[0], nodes.Assign)


def test_a_flat_sum_of_fifty_thousand_terms():
    (statement,) = read("x = " + " - ".join(["a"] * 50_000)).statements
    assert isinstance(statement, nodes.Assign)
    assert isinstance(statement.value, nodes.Sum)
    assert len(statement.value.terms) == 50_000


@pytest.mark.parametrize(
    "text",
    [
        "1e999",
        "9" * 301,
        "1" + "0" * 5000,
        "0." + "0" * 400,
        "1.8e308",
        "1e" + "9" * 50,
        "2" + "²" * 301,
    ],
)
def test_numbers_that_overflow(text: str):
    found = error(f"x = {text}")
    assert found.code == "E0107"
    assert "300" in found.labels[0].text


def test_large_numbers_that_do_not_overflow():
    assert read("x = 1.7e308").statements
    assert read("x = " + "9" * 300).statements
    assert read("x = 9^9^9^9").statements
    assert read("x = 1e-999").statements


def test_a_text_has_a_largest_size():
    line = "# " + "ŷ" * 1000 + "\n"
    lines = LARGEST // len(line.encode())
    assert parse(Source("test.ein", line * lines)).statements == ()
    with pytest.raises(EinbatchError, match=r"E0105.*4 MiB"):
        parse(Source("test.ein", line * (lines + 1)))


def test_chains_of_comparisons_do_not_multiply():
    assert len(unparse(read("x = [" + " < ".join(["a"] * 100) + "]"))) < 2000
    text = "a"
    for _ in range(50):
        text = f"[0 < {text} < 1]"
    assert code(f"x = {text}") == "E0119"
