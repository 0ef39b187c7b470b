"""Which tensors and subscripts hold integers."""

import pytest

from tests.elaborate.checked import checked, codes_of

GIVEN = "let n = 2\nlet r = 0.5\nindex i, k < 4\ninput x[i]\ninput t[i] in k\n"


@pytest.mark.parametrize(
    "value",
    ["t[i]", "i", "t[i] + 1", "2*t[i] - i", "mod(t[i] + i, |i|)", "floor(x[i])", "argmax[k](x[k])",
     "abs(t[i] - i)", "max(t[i], i)", "if x[i] > 0 then i else t[i]", "sum[k](t[k])*i", "n*i",
     "clamp(t[i], 0, 2)", "floor(x[i])*[x[i] > 0]"],
)  # fmt: skip
def test_integer_tensors(value: str):
    assert checked(GIVEN + f"y[i] = {value}\n").tensor("y").integer


@pytest.mark.parametrize(
    "value",
    ["x[i]", "0", "3", "t[i]/2", "t[i]^2", "[x[i] > 0]", "r*i", "mean[k](t[k]) + i", "1.0*i"],
)
def test_number_tensors(value: str):
    assert not checked(GIVEN + f"y[i] = {value}\n").tensor("y").integer


def test_an_accumulated_tensor_holds_numbers():
    assert not checked(GIVEN + "y[i] += t[i]\n").tensor("y").integer
    assert not checked(GIVEN + "y[i] = t[i]\ny[i] += 1\n").tensor("y").integer


@pytest.mark.parametrize(
    "subscript", ["t[i]", "t[t[i]]", "floor(x[i])", "argmin[k](x[k])", "mod(i+1, |i|)", "|i| - 1"]
)
def test_subscripts(subscript: str):
    checked(GIVEN + f"y[i] = x[{subscript}]\n" if "i" in subscript else "")


@pytest.mark.parametrize(
    "subscript", ["x[i]", "i/2", "0.5", "r", "t[i]/1", "exp(i)", "mean[k](t[k])"]
)
def test_what_is_no_subscript(subscript: str):
    assert codes_of(GIVEN + f"y[i] = x[{subscript}]\n") == ["E0416"]


@pytest.mark.parametrize("subscript", ["4", "-1", "n + 2", "|k|", "1000000000000"])
def test_constants_outside(subscript: str):
    assert codes_of(GIVEN + f"y = x[{subscript}]\n") == ["E0311"]
