"""What is right, and probably not meant."""

import pytest

from einbatch.elaborate import find_warnings
from tests.elaborate.checked import checked

GIVEN = "batch b < B\ninput x[b,i]\nparam W[i] = 0\nparam C = 0\n"


def warned(text: str) -> list[tuple[str, str]]:
    found = find_warnings(checked(GIVEN + text))
    return [(item.code, item.labels[0].span.text) for item in found]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("for b,i: s[b] += W[i]*x[b,i] - C\n", "C"),
        ("for b,i: s[b] -= W[i]*x[b,i] + 2*C\n", "2*C"),
        ("for b,i: s += W[i]*x[b,i] - W[i]\n", "W[i]"),
        ("for b,i: s += C + x[b,i]\n", "C"),
    ],
)
def test_terms_that_are_added_again_and_again(text: str, place: str):
    assert warned(text) == [("W0401", place)]


@pytest.mark.parametrize(
    "text",
    [
        "for b,i: s[b] += W[i]*x[b,i]\n",
        "for b: s[b] += sum[i](W[i]*x[b,i]) - C\n",
        "for b,i: s[b] += (W[i] - C)*x[b,i]\n",
        "for b,i: s[b] max= x[b,i] - C\n",
        "for b: s[b] += C\n",
    ],
)
def test_sums_that_are_meant(text: str):
    assert warned(text) == []


@pytest.mark.parametrize(
    ("value", "place"),
    [
        ("mean[b](x[b,0])", "mean[b](x[b,0])"),
        ("x[b,0]/B", "x[b,0]/B"),
        ("1/B*x[b,0]", "1/B"),
        ("-C - x[b,0]/|b|", "x[b,0]/|b|"),
        ("x[b,0]/|b|/2", "x[b,0]/|b|"),
    ],
)
def test_losses_that_are_averaged_twice(value: str, place: str):
    code, text = warned(f"loss[b] = {value}\nminimize loss\n")[0]
    assert code == "W0402"
    assert text in (place, value)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("m[b] = x[b,0]^2/B\nloss[b] = m[b] + C\n", "x[b,0]^2/B"),
        ("m = mean[b](x[b,0]^2)\nloss[b] = 2*m\n", "mean[b](x[b,0]^2)"),
        ("for b,i: m[b] += x[b,i]/B\nq[b] = -m[b]\nfor b: loss[b] += q[b]\n", "x[b,i]/B"),
        ("r[b] = x[b,0]/B\nm[b] = r[b]\nloss[b] = m[b] + 3*m[b] + r[b]\n", "x[b,0]/B"),
    ],
)
def test_losses_that_are_averaged_by_another_name(text: str, place: str):
    assert warned(f"{text}minimize loss\n") == [("W0402", place)]


def test_each_objective_is_averaged_once():
    text = "a[b] = W[0]*x[b,0]/B\nc[b] = C*x[b,0]/B\nminimize a over W\nminimize c over C\n"
    assert warned(text) == [("W0402", "W[0]*x[b,0]/B"), ("W0402", "C*x[b,0]/B")]


@pytest.mark.parametrize(
    "text",
    [
        "μ = mean[b](x[b,0])\nloss[b] = (x[b,0] - μ)^2\nminimize loss\n",
        "μ = mean[b](x[b,0])\nloss[b] = (x[b,0] - μ)*x[b,1]\nminimize loss\n",
        "μ = mean[b](x[b,0])\nloss[b] = x[b,1]*μ\nminimize loss\n",
        "μ = mean[b](x[b,0])\nloss[b] = μ/x[b,1]\nminimize loss\n",
        "loss[b] = x[b,0]^2\nminimize loss\n",
        "loss = mean[b](x[b,0]^2)\nminimize loss\n",
        "loss = sum[b](x[b,0]^2/B)\nminimize loss\n",
        "loss[b] = (x[b,0] - mean[b](x[b,0]))^2\nminimize loss\n",
        "loss[b] = mean[i](x[b,i]^2)\nminimize loss\n",
        "h[b] = x[b,0]/B\nloss[b] = h[b]^2\nminimize loss\n",
    ],
)
def test_losses_that_are_averaged_once(text: str):
    assert warned(text) == []
