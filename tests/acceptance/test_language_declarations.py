"""The language, section 4: declarations."""

import numpy as np
import pytest

import einbatch as eb
from tests.acceptance.language import command, on_file, places, refusal, values


def test_constants_are_overridden_from_python_and_the_command_line():
    text = "let J = 2\nlet K = 2*J\nindex j < J\ny[j] = K\n"
    assert eb.parse(text).forward()["y"].tolist() == [4, 4]
    assert eb.parse(text, set={"J": 3}).forward()["y"].tolist() == [6, 6, 6]
    outcome = on_file(text, "run", "--set", "J=5")
    assert outcome.code == 0
    assert outcome.out.count("10") == 5
    with pytest.raises(eb.EinbatchError):
        eb.parse(text, set={"Q": 3})


def test_inputs_are_bound_at_run_time_or_given_in_the_file():
    text = "index i < 2\nbatch b\ninput x[b,i]\ninput A[i,j] = [[1, 1/2, 2*3], [√2^0, -1, 1e2]]\n"
    text = text.replace("√2^0", "2^0").replace("j]", "k]")
    found = values(f"{text}for b,i,k: y[b,k] += x[b,i]*A[i,k]", x=[[1.0, 2]])
    assert np.allclose(found["y"], np.array([[1, 2]]) @ [[1, 0.5, 6], [1, -1, 100]])


def test_sources_are_relative_to_the_file(tmp_path):
    np.savez(tmp_path / "f.npz", x=np.arange(3.0), other=np.arange(3.0) * 10)
    path = tmp_path / "m.ein"
    path.write_text('input x[i] from "f.npz"\ninput y[i] from "f.npz:other"\nz[i] = x[i] + y[i]\n')
    assert eb.load(path).forward()["z"].tolist() == [0, 11, 22]
    assert command("run", path).code == 0


def test_integers_are_checked_on_binding():
    model = eb.parse("batch b\nindex k < 3\ninput t[b] in k\ny[b] = t[b]")
    assert model.forward(t=[0, 2])["y"].tolist() == [0, 2]
    for wrong in ([0, 3], [-1, 0]):
        with pytest.raises(eb.EinbatchError) as caught:
            model.forward(t=wrong)
        assert str(wrong[0] if wrong[0] < 0 else 3) in str(caught.value)
        assert "t[" in str(caught.value)
    with pytest.raises(eb.EinbatchError):
        model.forward(t=[0.5, 1])
    assert model.forward(t=[1.0, 2.0])["y"].tolist() == [1, 2]


PARAMS = """
index j < 40, i < 50
batch b
input x[b,i]
param A[j,i] ~ normal(1, 2)
param U[j,i] ~ uniform(-1, 3)
param G[j,i] ~ glorot()
param H[j,i] ~ he()
param C[j] = 0
param D[i] = i/10
param E[p] = [1, 2, 3]
for b,j,i: y[b,j] += (H[j,i] + G[j,i])*x[b,i]
z = sum[p](E[p])
"""


def test_params_are_drawn_or_given():
    start = eb.parse(PARAMS, dtype="float64").init(seed=1)
    assert start["A"].shape == (40, 50)
    assert start["A"].mean() == pytest.approx(1, abs=0.2)
    assert start["A"].std() == pytest.approx(2, abs=0.2)
    assert start["U"].min() >= -1
    assert start["U"].max() <= 3
    assert start["U"].max() > 2.9
    assert abs(start["G"]).max() <= np.sqrt(6 / 90)
    assert abs(start["G"]).max() > 0.95 * np.sqrt(6 / 90)
    assert start["H"].std() == pytest.approx(np.sqrt(2 / 50), rel=0.1)
    assert start["C"].tolist() == [0] * 40
    assert np.allclose(start["D"], np.arange(50) / 10)
    assert start["E"].tolist() == [1, 2, 3]


def test_he_takes_as_fan_in_the_axes_that_the_first_reading_statement_binds():
    text = (
        "index j < 3, k < 400, r < 20, c < 20\nbatch b\ninput x[b,r,c]\nparam W[r,j,c] ~ he()\n"
        "for b,j,r,c: y[b,j] += W[r,j,c]*x[b,r,c]\n"
    )
    assert eb.parse(text).init()["W"].std() == pytest.approx(np.sqrt(2 / 400), rel=0.1)


def test_draws_are_keyed_by_seed_and_name_so_adding_a_param_changes_no_other():
    first = eb.parse(PARAMS).init(seed=1)
    more = PARAMS.replace("param A", "param Z[j,i] ~ normal(0, 1)\nparam A")
    second = eb.parse(more).init(seed=1)
    for name, array in first.items():
        assert np.array_equal(array, second[name])
    assert not np.array_equal(first["A"], eb.parse(PARAMS).init(seed=2)["A"])
    alike = eb.parse("index i < 9\nparam P[i] ~ normal(0, 1)\nparam Q[i] ~ normal(0, 1)").init()
    assert not np.array_equal(alike["P"], alike["Q"])


def test_a_program_is_in_float32_where_it_says_nothing():
    assert eb.parse("y = 1").forward()["y"].dtype == np.float32
    assert eb.parse("dtype float64\ny = 1").forward()["y"].dtype == np.float64
    assert eb.parse("dtype float64\ny = 1", dtype="float32").forward()["y"].dtype == np.float32


def test_a_tensor_that_is_never_declared_is_an_error_with_the_nearest_name():
    said = refusal("index i < 2\ninput weight[i] = [1, 2]\ny[i] = wieght[i]")
    assert "`wieght`" in said.splitlines()[0]
    assert "`weight`" in said.split("help: ")[1]


@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_a_function_takes_such_tensors_as_its_inputs(backend: str):
    f = eb.function("for b,i,j: h[b,j] += W[j,i] x[b,i]", dtype="float64", backend=backend)
    W, x = np.arange(6.0).reshape(2, 3), np.ones((4, 3))
    assert np.allclose(f(W=W, x=x), x @ W.T)


@pytest.mark.parametrize(
    "text",
    [
        "index i < 2\ninput x[i] = [1, 2]\nx[i] += 1",
        "index i < 2\nparam x[i] = 0\nx[i] = 1",
        "let x = 2\nx = 3",
        "index i < 2\ninput x[i] = [1, 2]\nx[i] *= 1",
    ],
)
def test_inputs_params_and_constants_are_never_written_by_the_forward_statements(text: str):
    assert places(refusal(text)) == 2


def test_state_is_written_by_update_statements_only():
    head = "index i < 2\nparam w[i] = 1\nstate v[i] = 0\nL = sum[i](w[i]^2)\n"
    assert "error" in refusal(f"{head}v[i] += 1\nminimize L")
    model = eb.parse(f"{head}minimize L\nv[i] = v[i]/2 + w.grad[i]\nw[i] -= 1/10*v[i]")
    params, state = model.step(model.init())
    assert params["w"] == pytest.approx([0.8, 0.8])
    assert state["v"] == pytest.approx([2, 2])
