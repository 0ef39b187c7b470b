"""Program → tree → program: nothing is lost, and every stage parses back."""

from pathlib import Path

import pytest

from einbatch.autodiff import differentiate
from einbatch.diagnostics import Source
from einbatch.elaborate import elaborate, erase
from einbatch.ir import Program, verify
from einbatch.syntax import parse, unparse
from tests.elaborate.checked import checked
from tests.programs_of_everything import PROGRAMS

SHIPPED = sorted((Path(__file__).parent.parent.parent / "programs").rglob("*.ein"))


def check(program: Program) -> None:
    """A program is well formed, and its text is that program."""
    assert verify(program) == []
    assert elaborate(erase(program)) == program
    text = unparse(erase(program))
    assert elaborate(parse(Source("printed.ein", text))) == program
    assert unparse(erase(elaborate(parse(Source("printed.ein", text))))) == text


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_of_everything(name: str):
    program = checked(PROGRAMS[name])
    check(program)
    if program.objective is not None:
        check(differentiate(program))
        check(differentiate(program, simplify=False))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_programs(path: Path):
    tree = parse(Source(path.name, path.read_text(encoding="utf-8")))
    if "step" not in path.read_text(encoding="utf-8"):
        check(elaborate(tree))


@pytest.mark.parametrize(
    "value",
    [
        "1 - (2 - 3) + (4 + x)", "-(1 - x)", "--x", "2*(3*x)", "2/(3/x)", "2/3/x", "2*3/x*4",
        "-2*x", "(-2)*x", "(-x)^2", "-x^2", "x^-2", "(x^2)^3", "x^2^3", "2^-x^2", "1/(2*x)",
        "(1 + x)*(2 - x)", "1e-7*x + 1e300 + 0.1 + 3.0 + 3", "inf*x - pi", "10^-3",
        "if x > 0 then 1 else if x < 0 then -1 else 0", "(if x > 0 then 1 else 0) + 1",
        "[x > 0 and x < 1 or not (x = 0)]", "[(x > 0 or x < 1) and x = 0]", "[not not (x > 0)]",
        "max(min(x, 1), mod(x, 2)) + clamp(x, 0, 1)", "[1 < x < 2]", "x - (if x > 0 then 1 else 2)",
        "-(-(-x))", "1 - -x", "x*-2", "2^(x + 1)", "sqrt(x)^0.5",
    ],
)  # fmt: skip
def test_expressions_keep_their_meaning(value: str):
    check(checked(f"param x = 2\ny = {value}\nminimize y\n"))


def test_names_keep_the_spelling_they_were_typed_with():
    program = checked("index ŷ < 3\nparam W⁰[ŷ] = 0\nh̃[ŷ] = W0[ŷ]\ns = sum[ŷ](h̃[ŷ])\nminimize s\n")
    text = unparse(erase(differentiate(program)))
    assert "W⁰.grad[ŷ]" in text
    check(program)


def test_constants_that_were_set_are_printed_as_numbers():
    program = checked("let a = 1\nindex i < a + 3\ny[i] = a\n", set={"a": -1})
    assert unparse(erase(program)).startswith("let a = -1\n")
    check(program)
