"""The objective, its cotangents, and overridden constants."""

import pytest

from einbatch.autodiff import differentiate
from einbatch.diagnostics import EinbatchError
from einbatch.ir import Apply, Number, Read, Reduce, Statement, Tensor
from tests.elaborate.checked import checked, codes_of, findings


@pytest.mark.parametrize(
    "text",
    [
        "param W = 1\nloss = W^2\nminimize loss\n",
        "param W = 1\nloss = W^2\nmaximize loss\n",
        "batch b\ninput x[b]\nloss[b] = x[b]^2\nminimize loss\n",
        "batch b\ninput x[b]\nloss[b] = x[b]^2\nminimize loss[b]\n",
        "batch b\nindex k < |b|\ninput x[b]\nloss[k] = x[k]^2\nminimize loss\n",
    ],
)
def test_objectives(text: str):
    assert checked(text).objective is not None


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("index i < 3\nloss[i] = 1\nminimize loss\n", "E0411"),
        ("batch b\ninput x[b,i]\nloss[b,i] = x[b,i]\nminimize loss\n", "E0411"),
        ("let loss = 1\nminimize loss\n", "E0411"),
        ("report loss = 1\nminimize loss\n", "E0411"),
        ("minimize loss\n", "E0202"),
        ("a = 1\nb = 2\nminimize a\nminimize b\n", "E0417"),
    ],
)
def test_what_is_no_objective(text: str, code: str):
    assert codes_of(text) == [code]


def test_cotangents_are_numbered_where_the_program_has_some_of_its_own():
    text = (
        "param W = 1\nloss = W^2\nloss.grad = 1\nW.grad = 2*W*loss.grad\ns = W.grad\nminimize s\n"
    )
    program = checked(text)
    assert program.cotangent == ".grad2"
    names = [tensor.name for tensor in differentiate(program).tensors]
    assert {"W.grad", "W.grad2", "s.grad2"} <= set(names)


def test_integers_have_no_cotangent():
    text = "batch b\ninput t[b] in k\ninput x[k]\nparam W = 1\nloss[b] = W*x[t[b]]\nminimize loss\n"
    (found,) = findings(text + "W -= W.grad + t.grad[0]\n")
    assert found.code == "E0503"
    assert [label.span.text for label in found.labels] == ["t.grad[0]", "t"]


def test_constants_set_from_outside():
    text = "let J = 4\nlet K = 2*J\nindex j < K\nh[j] = J\n"
    assert checked(text, set={"J": 5}).index("j").extent == Number(10)
    assert [item.code for item in findings(text, {"J": -1})] == ["E0301"]
    assert [item.code for item in findings(text, {"j": 1, "L": 2})] == ["E0210", "E0210"]
    (found,) = findings(text, {"JJ": 3})
    assert (found.code, found.help) == ("E0210", "did you mean `J`?")
    negative = checked("let a = 1\ny = a\n", set={"a": -2.5}).lets[0].value
    assert negative == Apply("neg", (Number(2.5),))


def test_a_node_without_a_rule_has_no_derivative():
    """No text can hold one; a pass that made one would be told."""
    program = checked("param W = 1\nloss = W^2\nminimize loss\n")
    unknown = Reduce("median", ("i",), Read("W", ()))
    loss = Statement("loss", (), "=", unknown, ())
    value = Tensor("loss", "value", ())
    from dataclasses import replace

    broken = replace(program, statements=(loss,), tensors=(*program.of_kind("param"), value))
    with pytest.raises((EinbatchError, KeyError)):
        differentiate(broken)
