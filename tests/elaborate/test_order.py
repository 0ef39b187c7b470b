"""What stands where: values, reads, updates."""

import pytest

from tests.elaborate.checked import checked, codes_of

TRAINED = "index i < 3\ninput x[i]\nparam W[i] = 0\nloss = sum[i]((W[i] - x[i])^2)\n"


@pytest.mark.parametrize(
    "text",
    [
        "index i < 3\nT[i] = 0\nT[i] += i\nT[i] *= 2\ns = sum[i](T[i])\n",
        "index i < 3\nT[i] max= i\nT[i] min= 2\n",
        TRAINED + "minimize loss\ng[i] = W.grad[i]\ng[i] *= 2\nW[i] -= g[i]\nW[i] *= 0.9\n",
        TRAINED + "minimize loss\nstate v[i] = 0\nv[i] = v[i] + W.grad[i]\nW[i] -= v[i]\n",
        TRAINED + "minimize loss\nW.grad[i] += 2*(W[i] - x[i])\n",
        TRAINED + "report r = mean[i](W[i])\nminimize loss\n",
    ],
)
def test_right_orders(text: str):
    checked(text)


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("index i < 3\nT[i] = 0\nT[i] = 1\n", ["E0409"]),
        ("index i < 3\nT[i] = 0\nS[i] = T[i]\nT[i] += 1\n", ["E0408"]),
        ("index i < 3\nT[i] = 0\nT[i] += T[i]\n", ["E0408"]),
        ("index i < 3\nT[i] = S[i]\nS[i] = T[i]\n", ["E0410"]),
        ("index i < 3\nT[i] = S[i]\nS[i] = T[i]\nS[i] = 2\n", ["E0410", "E0409"]),
        (TRAINED + "loss = 3\nminimize loss\n", ["E0409"]),
        ("minimize loss\nloss = 3\n", ["E0410"]),
        (TRAINED + "minimize loss\nloss = 3\n", ["E0406"]),
        (TRAINED + "minimize loss\ng[i] = W.grad[i]\ng[i] = 3\n", ["E0409"]),
        (TRAINED + "minimize loss\nW[i] -= g[i]\ng[i] = W.grad[i]\n", ["E0410"]),
        (TRAINED + "minimize loss\ng[i] = 1\nW[i] -= g[i]\ng[i] += 1\n", ["E0408"]),
        (TRAINED + "s = sum[i](W.grad[i])\nminimize loss\n", ["E0419"]),
        (TRAINED + "s = sum[i](W.grad[i])\n", ["E0419"]),
        (TRAINED + "report s = sum[i](W.grad[i])\nminimize loss\n", ["E0419"]),
        (TRAINED + "minimize loss\nW[i] -= W.grad2[i]\n", ["E0419"]),
        (TRAINED + "minimize loss\nW[i] -= V.grad[i]\n", ["E0808"]),
        (TRAINED + "minimize loss\nV.grad[i] = 1\n", ["E0808"]),
        (TRAINED + "minimize loss\nx[i] = 1\n", ["E0406"]),
        (TRAINED + "x[i] = 1\nW[i] = 1\nminimize loss\n", ["E0406", "E0406"]),
    ],
)
def test_wrong_orders(text: str, codes: list[str]):
    assert codes_of(text) == codes


def test_what_follows_from_an_error_is_not_reported():
    text = "index i < 3\nh[i] = undeclared[i]\ng[i] = h[i]\ns = g[0] + h[7]\n"
    assert codes_of(text) == ["E0202"]


def test_all_errors_of_a_file_at_once():
    text = (
        "index i < 3, j < 0\n"
        "let a = 1/0\n"
        "param W[i] ~ normal(0)\n"
        "for i,j: y[i] = undeclared[i] + also[i]\n"
        "z[i] = z[i] > 0\n"
        "u[i] = 1\n"
        "u[i] = 2\n"
        "train size=3, batch=2, batch=3\n"
    )
    found = codes_of(text)
    assert found == ["E0301", "E0305", "E0205", "E0202", "E0202", "E0414", "E0409", "E0413"]
