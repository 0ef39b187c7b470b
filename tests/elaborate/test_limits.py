"""Programs at the limits: nested as deep as the grammar allows, flat as long as a file."""

import sys
import time
from collections.abc import Callable

import pytest

from einbatch.autodiff import differentiate
from einbatch.diagnostics import EinbatchError, Source
from einbatch.elaborate import elaborate, erase, find_warnings
from einbatch.ir import verify
from einbatch.syntax import parse, unparse
from tests.elaborate.checked import checked, codes_of

GIVEN = "batch b\ninput x[b,i]\ninput t[b] in b\nparam W[i] = 0.5\n"
LEAF = "sum[i](W[i]*x[b,i])"


def around(before: str, after: str, core: str = LEAF) -> Callable[[int], str]:
    return lambda count: before * count + core + after * count


def summed(before: str) -> Callable[[int], str]:
    return lambda count: "sum[i](" + before * count + "W[i]*x[b,i]" + ")" * count + ")"


NESTED: dict[str, Callable[[int], str]] = {
    "sums": around("(1+", ")"),
    "differences": around("(1-", ")"),
    "products": around("(2*", ")"),
    "products on the left": around("(", "*2)"),
    "quotients": around("", "/2"),
    "quotients of quotients": around("(1/", ")"),
    "negations": around("-(", ")"),
    "minus signs": around("-", ""),
    "powers": around("", "^2"),
    "powers of powers": around("(", ")^2"),
    "towers": around("2^", ""),
    "all of it": around("(1-2*(-", "^2))"),
    "else": around("if x[b,0] > 0 then 1 else ", ""),
    "then": around("(if x[b,0] > 0 then ", " else 1)"),
    "functions": around("exp(", ")"),
    "functions of two": around("max(1,", ")"),
    "brackets": around("[0 < ", "]"),
    "not": lambda count: "[" + "not (" * count + LEAF + " > 0" + ")" * count + "]",
    "and": lambda count: "[" + "(1 > 0 and " * count + LEAF + " > 0" + ")" * count + "]",
    "sums over an index": summed("sum[i]("),
    "softmax": summed("softmax[i]("),
    "maxima": summed("max[i](x[b,i]*"),
    "products over an index": summed("prod[i](x[b,i]*"),
    "gathers": around("t[", "]", "0"),
}


def deepest(form: Callable[[int], str]) -> str:
    """The program of a form that is nested as deep as the grammar allows."""
    low, high = 1, 201
    while high - low > 1:
        middle = (low + high) // 2
        try:
            parse(Source("deep.ein", f"y = {form(middle)}\n"))
            low = middle
        except EinbatchError:
            high = middle
    return GIVEN + f"h[b] = {form(low)}\nloss[b] = h[b]*{LEAF}\nminimize loss\n"


@pytest.mark.parametrize("name", NESTED)
def test_the_deepest_nesting(name: str):
    program = checked(deepest(NESTED[name]))
    find_warnings(program)
    assert verify(program) == []
    assert unparse(erase(elaborate(erase(program)))) == unparse(erase(program))
    derived = differentiate(program)
    assert verify(derived) == []
    unparse(erase(derived))


def test_the_recursion_limit_is_as_it_was():
    before = sys.getrecursionlimit()
    checked(deepest(NESTED["differences"]))
    with pytest.raises(EinbatchError):
        checked("y = z\n")
    assert sys.getrecursionlimit() == before


@pytest.mark.parametrize(
    ("value", "statements"),
    [
        (" + ".join(["W[i]*x[b,i]"] * 12_000), 12_000),
        ("W[i]" + " - x[b,i]" * 12_000, 1),
        ("W[i]*" + "*".join(["x[b,i]"] * 12_000), 0),
        ("[" + " and ".join(["x[b,i] > 0"] * 12_000) + "]*W[i]", 1),
    ],
    ids=["a sum of products", "a sum", "a product", "a condition"],
)
def test_long_and_flat(value: str, statements: int):
    program = checked(GIVEN + f"h[b] += {value}\nloss[b] = h[b]\nminimize loss\n")
    assert elaborate(erase(program)) == program
    if statements:
        derived = differentiate(program)
        assert sum(s.target == "W.grad" for s in derived.statements) == statements  # type: ignore[union-attr]
        return
    with pytest.raises(EinbatchError, match="E0504"):
        differentiate(program)


def test_many_statements_and_many_errors():
    lines = [f"h{k + 1}[b] = tanh(h{k}[b])" for k in range(3000)]
    text = GIVEN + f"h0[b] = {LEAF}\n" + "\n".join(lines) + "\nloss[b] = h3000[b]\nminimize loss\n"
    started = time.perf_counter()
    differentiate(checked(text))
    assert len(codes_of(text.replace("= tanh(", "= tahn + ("))) == 1
    assert len(codes_of("\n".join(f"y{k} = z{k}" for k in range(3000)) + "\n")) == 3000
    assert time.perf_counter() - started < 30


def test_definitions_that_double_are_refused():
    lines = ["def f0(x) = x + x", *(f"def f{k + 1}(x) = f{k}(f{k}(x))" for k in range(40))]
    assert codes_of("\n".join([*lines, "y = f40(1)", ""])) == ["E0421"]
    assert codes_of("def f(x) = x + x*x\ny = " + "f(" * 40 + "1" + ")" * 40 + "\n") == ["E0421"]
