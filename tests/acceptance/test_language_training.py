"""The language, section 5: reports, `train`, draws and update statements."""

import numpy as np
import pytest

import einbatch as eb
from tests.acceptance.language import on_file, refusal

X = np.arange(10.0)
FIT = """
batch b < B
input x[b]
param w = 1
L[b] = w*x[b]
minimize L
report biggest = max[b](x[b])
report average = mean[b](x[b])
train sgd(lr=0), batch=4, epochs=1, seed=3
"""


@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_reports_are_weighted_by_examples_and_the_last_minibatch_is_shorter(backend: str):
    result = eb.parse(FIT, dtype="float64", backend=backend).fit(x=X)
    assert result.reports["train"]["average"] == pytest.approx(4.5)
    assert result.loss == pytest.approx(4.5)
    order = result.reports["train"]["biggest"]
    sums = eb.parse(FIT.replace("max[b](x[b])", "B"), dtype="float64", backend=backend).fit(x=X)
    assert sums.reports["train"]["biggest"] == pytest.approx((4 * 4 + 4 * 4 + 2 * 2) / 10)
    assert 4.5 < order <= 9


def test_a_shorter_minibatch_is_averaged_over_its_own_extent():
    text = FIT.replace("lr=0)", "lr=1)").replace("batch=4", "batch=10").replace("w*x[b]", "w")
    model = eb.parse(text, dtype="float64")
    assert model.fit(x=X).params["w"] == pytest.approx(0)
    assert model.fit(x=X, batch=4).params["w"] == pytest.approx(1 - 3)


def test_defaults_of_train():
    text = FIT.replace(", batch=4, epochs=1, seed=3", "").replace("max[b](x[b])", "B")
    result = eb.parse(text, dtype="float64").fit(x=np.arange(40.0))
    assert len(result.history) == 1
    assert result.holdout_loss is None
    assert result.reports["train"]["biggest"] == pytest.approx((32 * 32 + 8 * 8) / 40)


def test_all_can_be_overridden(tmp_path):
    model = eb.parse(FIT, dtype="float64")
    result = model.fit(x=X, epochs=3, batch=5, holdout=0.5, seed=1, lr=0.01)
    assert len(result.history) == 3
    assert result.holdout_loss is not None
    assert result.params["w"] != 1
    np.savez(tmp_path / "d.npz", x=X)
    outcome = on_file(
        FIT, "run", "--data", tmp_path / "d.npz", "--epochs", 2, "--batch", 5, "--seed", 4, "--json"
    )
    assert outcome.code == 0
    assert '"epoch": 2' in outcome.out


def test_shuffling_is_by_the_seed():
    text = FIT.replace("lr=0)", "lr=0.01)").replace("w*x[b]", "(w*x[b] - 1)^2")
    model = eb.parse(text, dtype="float64")
    first, second, other = (model.fit(x=X, seed=s).params["w"] for s in (1, 1, 2))
    assert first == second
    assert first != other


def test_a_program_with_updates_of_its_own_names_no_optimizer():
    text = FIT.replace("report b", "w -= 1/10*w.grad\nreport b")
    assert "error" in refusal(text)
    model = eb.parse(text.replace("sgd(lr=0), ", ""), dtype="float64")
    assert model.step(model.init(), x=[1.0, 3])[0]["w"] == pytest.approx(0.8)


UPDATES = """
let β = 1/2
let lr = 1/4
batch b < B
index i < 2
input x[b,i]
param W[i] = [1, 2]
state m[i] = 0
for b,i: L[b] += W[i]*x[b,i]
minimize L
g[i] = W.grad[i]*step
m[i] = β*m[i] + g[i]
W[i] -= lr*m[i]
"""


@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_update_statements_run_in_order_once_a_step(backend: str):
    model = eb.parse(UPDATES, dtype="float64", backend=backend)
    x = np.array([[1.0, 2], [3, 4]])
    params, state, W, m = model.init(), None, np.array([1.0, 2]), np.zeros(2)
    trainer = model.trainer()
    for step in (1, 2, 3):
        params, state = model.step(params, state, x=x)
        loss = trainer.step(x=x)
        assert loss == pytest.approx((x @ W).mean())
        m = m / 2 + x.mean(0) * step
        W = W - m / 4
        assert np.allclose(params["W"], W)
        assert np.allclose(trainer.params["W"], W)
        assert np.allclose(state["m"], m)
        assert state["step"] == step


@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_a_scan_of_updates_reads_what_its_earlier_rounds_made(backend: str):
    head = "index t < 4\nparam w[t] = 1\nL = sum[t](w[t]^2*(t + 1))\nminimize L\nscan t:\n"
    text = head + "    u[t] = (u[t-1] else 0) + w.grad[t]\n    w[t] -= u[t] + (w[t-1] else 0)\n"
    model = eb.parse(text, dtype="float64", backend=backend)
    # u = 2, 6, 12, 20, and each round subtracts the w that the one before has made
    assert model.step(model.init())[0]["w"].tolist() == [-1, -4, -7, -12]
    assert "E0423" in refusal(text.replace("(u[t-1]", "(u[t+1]"))
    assert "E0425" in refusal(head + "    u += w[t]\n    w[t] -= u\n")


@pytest.mark.parametrize("backend", ["numpy", "loops"])
@pytest.mark.parametrize(
    ("update", "after"),
    [
        ("W[i,j] = W[i,j]/sqrt(sum[j](W[i,j]^2))", [[0.6, 0.8], [1, 0]]),
        ("W[i,j] += sum[k](W[k,j])", [[11, 8], [13, 4]]),
        ("for k,i,j: W[i,j] += W[k,j]", [[11, 8], [13, 4]]),
        ("W[i,j] = W[mod(i+1),j]", [[5, 0], [3, 4]]),
        ("W[i,j] -= W[0,j]", [[0, 0], [2, -4]]),
        ("W[argmax[i](W[i,0]),j] += 1", [[3, 4], [6, 1]]),
    ],
)
def test_a_statement_that_rewrites_a_tensor_reads_it_as_it_was(
    update: str, after: list[list[float]], backend: str
):
    head = "index i, j, k < 2\nparam W[i,j] = [[3, 4], [5, 0]]\nL = W[0,0]\nminimize L\n"
    model = eb.parse(f"{head}{update}\n", dtype="float64", backend=backend)
    assert np.allclose(model.step(model.init())[0]["W"], after)
    trainer = model.trainer()
    trainer.step()
    assert np.allclose(trainer.params["W"], after)


def test_built_in_optimizers_are_such_statements_and_print():
    head = "batch b < B\nindex i < 2\ninput x[b,i]\nparam W[i] = [1, 2]\n"
    head += "for b,i: L[b] += W[i]^2*x[b,i]\nminimize L\n"
    for line in ("sgd(lr=0.1, momentum=0.9)", "adam(lr=0.1)"):
        outcome = on_file(f"{head}train {line}\n", "grad", "--update")
        assert outcome.code == 0
        assert "W[i] -= " in outcome.out
        assert "W.grad[i]" in outcome.out


def test_an_unknown_optimizer_or_setting_names_the_nearest():
    assert "sgd" in refusal(FIT.replace("sgd", "sdg")).split("help: ")[1]
    assert "lr" in refusal(FIT.replace("lr=0", "rl=0")).split("help: ")[1]


def test_a_params_trained_value_is_that_of_the_seed_and_its_name():
    text = FIT.replace("param w = 1", "param w ~ normal(0, 1)")
    alone = eb.parse(text).fit(x=X).params["w"]
    more = text.replace("param w", "param v ~ normal(0, 1)\nparam w")
    assert eb.parse(more).fit(x=X).params["w"] == alone
