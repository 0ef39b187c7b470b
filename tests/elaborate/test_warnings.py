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
    "text",
    [
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
