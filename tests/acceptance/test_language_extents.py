"""The language, section 3: indices and extents."""

import numpy as np
import pytest

import einbatch as eb
from tests.acceptance.language import gradients, on_file, places, refusal, values


def test_an_index_runs_from_zero_below_its_extent():
    assert values("index i < 3\ny[i] = i")["y"].tolist() == [0, 1, 2]


def test_r_and_c_below_8_have_both_the_extent_8():
    found = values("index r, c < 2, j < 3\nA[r,c,j] = 1\nn = |r| + 10*|c| + 100*|j|")
    assert found["A"].shape == (2, 2, 3)
    assert found["n"] == 322


@pytest.mark.parametrize(
    ("declared", "extent"),
    [
        ("let n = 4\nindex i < n", 4),
        ("let n = 4\nindex i < 2*n - 1", 7),
        ("index j < 6\nindex i < |j|/2", 3),
        ("index j < N, i < floor(N/2)\ninput u[j] = [1, 2, 3, 4, 5]", 2),
        ("index i < N\ninput u[i] = [1, 2]", 2),
        ("index i < 2^3", 8),
        ("index j < 5, i < floor(|j|/2) + 1", 3),
    ],
)
def test_extents_are_exact_expressions(declared: str, extent: int):
    found = values(f"{declared}\ny[i] = 1\nn_i = |i|")
    assert found["y"].shape == (extent,)
    assert found["n_i"] == extent


def test_a_division_that_leaves_a_rest_wants_floor():
    said = refusal("index j < 5\nindex i < |j|/2\ny[i] = 1\nz[j] = 1")
    assert "floor" in said
    assert "5/2" in said or "2.5" in said or "5" in said


@pytest.mark.parametrize("extent", ["0 - 1", "1.5"])
def test_an_extent_is_a_whole_number(extent: str):
    assert "error[E0301]" in refusal(f"index i < {extent}\ny[i] = 1")


def test_the_extents_name_is_its_number():
    text = "batch b < B\ninput x[b]\nfor b: m += 1/B x[b]"
    assert values(text, x=[1.0, 2, 6])["m"] == 3


def test_an_index_needs_no_declaration_where_its_extent_follows():
    found = values("input A[i,j] = [[1, 2, 3], [4, 5, 6]]\nfor i,j: s[j] += A[i,j]")
    assert found["s"].tolist() == [5, 7, 9]


def test_the_batch_extent_may_change_from_call_to_call_and_others_may_not():
    text = (
        "batch b < B\nindex b2 < B, m < 2*B, i < I\ninput x[b,i]\nparam w[i] = 1\n"
        "y[b,b2] = sum[i](w[i]*x[b,i]*x[b2,i])\nz[m] = m\nloss[b] = sum[b2](y[b,b2])\n"
        "minimize loss\ntrain sgd(lr=0.1)"
    )
    model = eb.parse(text, dtype="float64")
    trainer = model.trainer()
    trainer.step(x=np.ones((4, 2)))
    trainer.step(x=np.ones((3, 2)))
    with pytest.raises(eb.EinbatchError):
        trainer.step(x=np.ones((3, 5)))
    found = values(text, {"w": [1, 1]}, x=np.ones((3, 2)))
    assert found["y"].shape == (3, 3)
    assert found["z"].tolist() == [0, 1, 2, 3, 4, 5]


def test_batch_b_without_a_name():
    assert values("batch b\ninput x[b]\ny = |b|", x=[1.0, 2])["y"] == 2


def test_one_batch_index_only():
    assert places(refusal("batch b < B\nbatch c < C\n")) == 2


@pytest.mark.parametrize("axes", ["b", "b2", "m"])
def test_a_param_has_no_batch_axis(axes: str):
    said = refusal(f"batch b < B\nindex b2 < B, m < 2*B\nparam W[{axes}] = 0\n")
    assert "batch" in said
    assert "help: " in said


def test_two_indices_may_share_an_extent():
    found = values(
        "batch b\nindex q, k < T\ninput x[b,q]\nfor b,q,k: A[b,q,k] = x[b,q]*x[b,k]", x=[[1, 2, 3]]
    )
    assert found["A"][0].tolist() == np.outer([1, 2, 3], [1, 2, 3]).tolist()


def test_every_bare_subscript_unifies_and_a_conflict_shows_both_places():
    said = refusal("input x[i] = [1, 2]\ninput y[i] = [1, 2, 3]\n")
    assert places(said) == 2
    assert "2 here" in said
    assert "3 here" in said
    said = refusal("index i < 3\ninput x[i] = [1, 2]")
    assert said == (
        "error[E0203]: index `i` has two extents, 3 and 2\n"
        "  --> <text>:2:14\n   |\n 2 | input x[i] = [1, 2]\n   |              ^^^^^^ 2 here\n"
        "  --> <text>:1:11\n   |\n 1 | index i < 3\n   |           ^ 3 here\n"
        "  help: give one of them another index, or correct the extent; nothing is broadcast"
    )


@pytest.mark.parametrize(
    "text",
    [
        "index i < 3, j < 2\nA[i] = 1\ny[j] = A[j]",
        "index i < 3, j < 2\ninput t[i] in j = [0, 1, 0]\nA[i] = 1\ny[j] = A[j]",
        "index i < 1, j < 2\nA[i] = 1\nfor j: y[j] = A[j]",
        "index i < 3, j < 2\nA[i] = 1\nA2[j] = 1\nfor i: A2[i] += A[i]",
    ],
)
def test_no_broadcasting_of_extent_one_and_no_other(text: str):
    assert places(refusal(text)) >= 2


def test_data_take_part():
    model = eb.parse("index i < 3\nbatch b\ninput x[b,i]\ninput z[b]\ny[b] = z[b]*x[b,0]")
    with pytest.raises(eb.EinbatchError) as caught:
        model.forward(x=np.ones((2, 4)), z=[1.0, 2])
    said = str(caught.value)
    assert "4" in said
    assert "3" in said
    with pytest.raises(eb.EinbatchError) as caught:
        model.forward(x=np.ones((2, 3)), z=[1.0, 2, 3])
    said = str(caught.value)
    assert "2" in said
    assert "3" in said
    assert places(said) >= 2


def test_an_index_as_a_value_is_its_number():
    text = "index t < 3, k < 2, d < 4\np[t,k] = sin(t/10000^(2*k/|d|))\nq[d] = d"
    t, k = np.mgrid[0:3, 0:2]
    assert np.allclose(values(text)["p"], np.sin(t / 10000 ** (2 * k / 4)))


def test_check_needs_no_data():
    text = 'batch b < B\ninput x[b,i] from "nowhere.npz"\nparam W[j,i] ~ he()\nindex j < 2\n'
    text += "for b,j,i: y[b,j] += W[j,i]*x[b,i]\n"
    outcome = on_file(text, "check")
    assert outcome.code == 0
    assert "i < " in on_file(text, "check", "--verbose").out


def test_an_extent_that_nothing_can_fix_is_an_error():
    assert "error[E0302]" in refusal("index i < N\ny[i] = i\n")
    assert "error[E0302]" in refusal("param W[j] = 0\ny = sum[j](W[j])\n")


def test_gradients_over_a_scalar_program_without_batch():
    loss, grads = gradients("index i < 2\nparam w[i] = [1, 2]\nL = sum[i](w[i]^2)\nminimize L")
    assert loss == 5
    assert grads["w"].tolist() == [2, 4]
