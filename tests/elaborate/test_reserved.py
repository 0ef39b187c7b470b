"""`pi` and `inf` are numbers: a scalar cannot have their names, a tensor with axes can."""

from __future__ import annotations

import pytest

import einbatch as eb


@pytest.mark.parametrize(
    "line", ["let pi = 3", "let inf = 2", "index i < inf", "input π", "pi = 2"]
)
def test_a_number_keeps_its_name(line: str) -> None:
    with pytest.raises(eb.EinbatchError):
        eb.parse(line)


def test_the_message_says_so() -> None:
    with pytest.raises(eb.EinbatchError) as caught:
        eb.parse("let pi = 3\n")
    assert str(caught.value) == (
        "error[E0113]: `pi` is a number of the language and cannot be declared\n"
        "  --> <text>:1:5\n"
        "   |\n"
        " 1 | let pi = 3\n"
        "   |     ^^ declared here\n"
        "  help: choose another name; a tensor may have it: `pi[…]`"
    )


def test_a_tensor_may_be_called_pi() -> None:
    model = eb.parse("index a < 2\ninput π[a]\ny = sum[a](π[a])*π")
    assert model.forward({}, data={"π": [1, 2]})["y"] == pytest.approx(3 * 3.14159265)
