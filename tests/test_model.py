"""The Python API: every call as the reference shows it, and the text of what it refuses."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import einbatch as eb
from einbatch.backends.numpy import memory

PERCEPTRON = """
let J = 4
batch b < B
index j < J, k < 3
input x[b,i]
input t[b] in k
param W[j,i] ~ normal(0, 1)
param V[k,j] ~ glorot()
param C[k] = 0
for b,j,i: g[b,j] += W[j,i]*x[b,i]
for b,j: h[b,j] = tanh(g[b,j])
for b,k,j: s[b,k] += V[k,j]*h[b,j]
for b,k: s[b,k] -= C[k]
for b,k: P[b,k] = softmax[k](s[b,k])
for b: loss[b] = -log(P[b,t[b]])
minimize loss
report accuracy = mean[b]([argmax[k](s[b,k]) = t[b]])
train sgd(lr=0.5, momentum=0.5), batch=4, epochs=2
"""
X = np.random.default_rng(0).normal(size=(6, 5))
T = np.array([0, 1, 2, 0, 1, 2])
BACKENDS = ("numpy", "loops")


@pytest.fixture(params=BACKENDS)
def model(request: pytest.FixtureRequest) -> eb.Model:
    return eb.parse(PERCEPTRON, dtype="float64", backend=request.param)


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(eb.EinbatchError) as caught:
        action()
    return str(caught.value)


def by_hand(params: dict[str, np.ndarray], x: np.ndarray, t: np.ndarray) -> float:
    s = np.tanh(x @ params["W"].T) @ params["V"].T - params["C"]
    s = s - s.max(1, keepdims=True)
    return float(np.mean(np.log(np.exp(s).sum(1)) - s[np.arange(len(t)), t]))


# --- what the reference shows


def test_load_reads_a_file_with_constants_and_precision(tmp_path: Path):
    path = tmp_path / "mlp.ein"
    path.write_text(PERCEPTRON, encoding="utf-8")
    model = eb.load(path, set={"J": 7}, dtype="float64", backend="numpy")
    params = model.init(seed=0, x=X)
    assert params["W"].shape == (7, 5)
    assert params["W"].dtype == np.float64
    assert eb.load(str(path)).init(x=X)["W"].dtype == np.float32


def test_init_takes_inputs_where_data_fix_extents(model: eb.Model):
    said = refusal(lambda: model.init(seed=0))
    assert "error[E0613]: input `x` is not bound, and it fixes the extent `i`" in said
    params = model.init(0, x=X)
    assert {name: value.shape for name, value in params.items()} == {
        "W": (4, 5),
        "V": (3, 4),
        "C": (3,),
    }
    assert abs(params["V"]).max() <= np.sqrt(6 / 7)
    assert not params["C"].any()


def test_forward_gives_every_named_tensor(model: eb.Model):
    params = model.init(x=X)
    values = model.forward(params, x=X, t=T)
    assert list(values) == [
        *("x", "t", "W", "V", "C", "accuracy", "g", "h", "s", "P", "loss"),
    ]
    assert np.mean(values["loss"]) == pytest.approx(by_hand(params, X, T))
    assert values["accuracy"].shape == ()
    assert values["t"].dtype == np.int64


def test_outputs_need_only_their_inputs(model: eb.Model):
    params = model.init(x=X)
    values = model.forward(params, x=X, outputs=("P",))
    assert list(values) == ["P"]
    assert np.allclose(values["P"].sum(1), 1)
    assert "h" in model.forward({"W": params["W"]}, x=X, outputs=["h"])


def test_value_and_grad(model: eb.Model):
    params = model.init(x=X)
    loss, grads = model.value_and_grad(params, x=X, t=T)
    assert isinstance(loss, float)
    assert loss == pytest.approx(by_hand(params, X, T))
    assert list(grads) == ["W", "V", "C"]
    step = 1e-6
    moved = {**params, "C": params["C"] + [step, 0, 0]}
    assert grads["C"][0] == pytest.approx((by_hand(moved, X, T) - loss) / step, abs=1e-5)


def test_wrt_adds_inputs_by_the_batch_convention(model: eb.Model):
    params = model.init(x=X)
    _, grads = model.value_and_grad(params, x=X, t=T, wrt=("x",))
    assert list(grads) == ["W", "V", "C", "x"]
    alone = model.value_and_grad(params, x=X[2:3], t=T[2:3], wrt=("x",))[1]["x"]
    assert np.allclose(grads["x"][2], alone[0])


def test_backward_is_a_program_that_prints(model: eb.Model):
    text = str(model.backward)
    assert "for b,k: s.grad[b,k] += loss.grad[b]*(P[b,k] - [k = t[b]])\n" in text
    again = eb.parse(text, dtype="float64", backend=model.backend)
    params = model.init(x=X)
    values = again.forward(params, x=X, t=T)
    assert np.allclose(values["W.grad"], model.value_and_grad(params, x=X, t=T)[1]["W"])
    assert "x.grad" in str(model.derive(wrt=("x",)))
    assert str(model.derive(raw=True)) != text
    assert model.backward.program.objective is None


def test_step_gives_fresh_params_and_state(model: eb.Model):
    params = model.init(x=X)
    before = {name: value.copy() for name, value in params.items()}
    first, state = model.step(params, None, x=X, t=T)
    second, later = model.step(first, state, x=X, t=T)
    assert (state["step"], later["step"]) == (1, 2)
    grads = model.value_and_grad(params, x=X, t=T)[1]
    assert np.allclose(first["W"], params["W"] - 0.5 * grads["W"])
    velocity = 0.5 * grads["W"] + model.value_and_grad(first, x=X, t=T)[1]["W"]
    assert np.allclose(later["W_velocity"], velocity)
    assert np.allclose(second["W"], first["W"] - 0.5 * velocity)
    assert all((params[name] == before[name]).all() for name in params)


def test_trainer_does_what_step_does(model: eb.Model):
    params = model.init(seed=3, x=X)
    trainer = model.trainer(seed=3)
    losses = [trainer.step(x=X[:4], t=T[:4]), trainer.step(x=X[4:], t=T[4:])]
    by_step, state = model.step(params, None, x=X[:4], t=T[:4])
    by_step, state = model.step(by_step, state, x=X[4:], t=T[4:])
    assert losses[0] == pytest.approx(by_hand(params, X[:4], T[:4]))
    for name, value in trainer.params.items():
        assert np.allclose(value, by_step[name])
    assert trainer.state["step"] == 2
    assert np.allclose(trainer.state["V_velocity"], state["V_velocity"])


def test_a_trainer_lets_go_of_what_it_was_given(model: eb.Model):
    params, state = model.step(model.init(seed=1, x=X), x=X, t=T)
    held = [weakref.ref(array) for array in (params["W"], state["W_velocity"])]
    trainer = model.trainer(params, state=state)
    trainer.step(x=X, t=T)
    del params, state
    assert [reference() for reference in held] == [None, None]
    assert trainer.state["step"] == 2


@pytest.fixture
def _every_array_is_large(monkeypatch: pytest.MonkeyPatch):
    """Small ones are copied to where a line of the cache begins."""
    monkeypatch.setattr(memory, "LARGE", 0)


@pytest.mark.usefixtures("_every_array_is_large")
def test_a_trainer_takes_over_what_nobody_else_has(model: eb.Model):
    params = model.init(seed=1, x=X)
    where = {name: params[name].ctypes.data for name in params}
    trainer = model.trainer(params)
    del params
    trainer.step(x=X, t=T)
    assert {name: trainer.kept[name].ctypes.data for name in where} == where


def test_what_a_trainer_rewrites_begins_with_a_line_of_the_cache(model: eb.Model):
    trainer = model.trainer(model.init(seed=1, x=X))
    trainer.step(x=X, t=T)
    assert {array.ctypes.data % memory.LINE for array in trainer.kept.values()} == {0}


@pytest.mark.usefixtures("_every_array_is_large")
@pytest.mark.parametrize("held", ["the mapping", "an array", "a view", "a memoryview"])
def test_a_trainer_changes_nothing_that_somebody_has(model: eb.Model, held: str):
    params = model.init(seed=1, x=X)
    before = params["W"].copy()
    own = {
        "the mapping": lambda: params,
        "an array": lambda: {"W": params["W"]},
        "a view": lambda: {"W": params["W"][:]},
        "a memoryview": lambda: {"W": memoryview(params["W"])},
    }[held]()
    trainer = model.trainer(params)
    params = None
    trainer.step(x=X, t=T)
    assert (np.asarray(own["W"]) == before).all()
    assert (trainer.kept["W"] != before).any()


def test_params_that_are_one_array_come_apart():
    text = "param W[i] = 0\nparam V[i] = 0\ninput x[i]\nL += W[i]*x[i] + 2*V[i]*x[i]\n"
    model = eb.parse(text + "minimize L\ntrain sgd(lr=1)\n", dtype="float64")
    trainer = model.trainer(dict.fromkeys(("W", "V"), np.ones(2)))
    trainer.step(x=[1, 2])
    assert trainer.params["W"].tolist() == [0, -1]
    assert trainer.params["V"].tolist() == [-1, -3]


def test_what_a_trainer_gives_stays_as_it_is(model: eb.Model):
    given = model.init(x=X)
    trainer = model.trainer(given)
    trainer.step(x=X, t=T)
    then = trainer.params
    kept = then["W"].copy()
    trainer.step(x=X, t=T)
    assert (then["W"] == kept).all()
    assert not (trainer.params["W"] == kept).all()
    assert (given["W"] == model.init(x=X)["W"]).all()


def test_fit_gives_params_and_history(model: eb.Model):
    result = model.fit(x=X, t=T, epochs=5)
    assert [entry["epoch"] for entry in result.history] == [1, 2, 3, 4, 5]
    assert result.history[-1]["loss"] == result.loss < result.history[0]["loss"]
    assert result.reports["train"].keys() == {"accuracy"}
    assert result.params["W"].shape == (4, 5)
    assert result.state["step"] == 10


def test_fit_takes_the_settings_of_the_train_line(model: eb.Model):
    slow = model.fit(x=X, t=T, epochs=1, lr=0.0, batch=6)
    start = model.init(x=X)
    assert all((slow.params[name] == start[name]).all() for name in start)
    held = model.fit(x=X, t=T, holdout=1 / 3, epochs=1, optimizer="adam", seed=1)
    assert held.holdout_loss is not None
    assert held.reports["holdout"].keys() == {"accuracy"}
    assert {"W_moment1", "C_moment2"} < held.state.keys()


def test_fit_reads_the_files_own_sources(tmp_path: Path):
    np.savez(tmp_path / "d.npz", x=X, t=T)
    text = PERCEPTRON.replace("input x[b,i]", 'input x[b,i] from "d.npz"')
    text = text.replace("input t[b] in k", 'input t[b] in k from "d.npz"')
    (tmp_path / "m.ein").write_text(text)
    model = eb.load(tmp_path / "m.ein")
    assert len(model.fit().history) == 2
    assert model.forward(model.init())["s"].shape == (6, 3)
    assert eb.parse(text, folder=tmp_path).fit(epochs=1).loss > 0


def test_save_and_load_params(tmp_path: Path, model: eb.Model):
    params = model.init(x=X)
    eb.save(params, tmp_path / "m.safetensors")
    again = eb.load_params(tmp_path / "m.safetensors")
    assert again.keys() == params.keys()
    assert all((again[name] == params[name]).all() for name in params)


@pytest.mark.parametrize("backend", BACKENDS)
def test_function(backend: str):
    f = eb.function("for b,i,j: h[b,j] += W[j,i]*x[b,i]", dtype="float64", backend=backend)
    W = np.random.default_rng(1).normal(size=(4, 5))
    assert np.allclose(f(W=W, x=X), X @ W.T)
    both = eb.function("y[i] = 2*x[i]\nz += y[i]", outputs=("y", "z"), backend=backend)
    assert {k: v.tolist() for k, v in both(x=[1, 2]).items()} == {"y": [2, 4], "z": 6}
    assert eb.function("y[i] = 2*x[i]\nz += y[i]", outputs="y")(x=[1]).tolist() == [2]


def test_a_function_broadcasts_nothing():
    f = eb.function("for b,i,j: h[b,j] += W[j,i]*x[b,i]")
    said = refusal(lambda: f(W=np.ones((4, 5)), x=np.ones((2, 1))))
    assert "error[E0203]" in said
    assert "error[E0614]: the program has no input `w`" in refusal(lambda: f(w=1, x=1))
    assert refusal(lambda: eb.function("index i < 3")).startswith("error[E0621]")


# --- names and arrays


def test_names_fold_and_data_takes_any_name(model: eb.Model):
    text = "batch b\nindex i < 2\ninput x̃[b,i]\ninput in_[b]\nparam W⁰[i] = 1\n"
    text += "for b,i: y[b] += W⁰[i]*x̃[b,i] + in_[b]\nminimize y"
    folded = eb.parse(text)
    params = {"W⁰": [1, 2]}
    values = folded.forward(params, data={"x̃": [[1, 1]], "in_": [0]})
    assert values["y"].tolist() == [3]
    assert "W0" in values
    assert "error[E0615]: `W0` is given twice" in refusal(
        lambda: folded.forward({"W⁰": [1, 2], "W0": [1, 2]}, {"x̃": [[1, 1]]}, in_=[0])
    )


def test_array_likes_of_any_kind(model: eb.Model):
    params = model.init(x=X)
    wide = np.zeros((6, 10))
    wide[:, ::2] = X
    expected = model.forward(params, x=X, t=T)["s"]
    for x in (X.tolist(), wide[:, ::2], np.asfortranarray(X), X.astype(">f8")):
        assert np.allclose(model.forward(params, x=x, t=T.astype("uint8"))["s"], expected)
    assert np.allclose(model.forward(params, x=X, t=T.astype(float))["s"], expected)
    ints = model.forward(params, x=np.ones((1, 5), int), t=[1])["s"]
    assert np.allclose(ints, model.forward(params, x=np.ones((1, 5), bool), t=[True])["s"])
    nan = model.forward(params, x=np.full((1, 5), np.nan), t=[1])
    assert np.isnan(nan["loss"]).all()


def test_nothing_of_the_callers_changes_or_is_handed_out(model: eb.Model):
    params, x = model.init(x=X), X.copy()
    values = model.forward(params, x=x, t=T)
    values["x"][:] = 0
    values["W"][:] = 0
    kept = values["s"].copy()
    model.forward(params, x=x + 1, t=T)
    assert (x == X).all()
    assert params["W"].any()
    assert (values["s"] == kept).all()
    frozen = {name: value.copy() for name, value in params.items()}
    for value in frozen.values():
        value.setflags(write=False)
    model.step(frozen, None, x=x, t=T)
    model.trainer(frozen).step(x=x, t=T)


REFUSED = {
    "unknown input": (
        lambda m, p: m.forward(p, X=X, t=T),
        "error[E0614]: the program has no input `X`\n  help: did you mean `x`?",
    ),
    "not an input": (
        lambda m, p: m.forward(p, x=X, t=T, loss=1),
        "error[E0614]: the program has no input `loss`\n"
        "  help: `loss` is no input: the program computes it, or it is of another kind",
    ),
    "missing input": (
        lambda m, p: m.forward(p, x=X),
        "error[E0613]: input `t` is not bound\n"
        "  --> <text>:6:7\n"
        "   |\n"
        " 6 | input t[b] in k\n"
        "   |       ^ declared here\n"
        "  help: give it: `--data t=FILE`, or `t=…` from Python",
    ),
    "unknown output": (
        lambda m, p: m.forward(p, x=X, outputs=("p",)),
        "error[E0614]: the program has no tensor `p`\n  help: did you mean `P`?",
    ),
    "unknown param": (
        lambda m, p: m.forward({**p, "U": 1}, x=X, t=T),
        "error[E0614]: the program has no param `U`\n  help: it has `W`, `V`, `C`",
    ),
    "missing param": (
        lambda m, p: m.forward({"W": p["W"]}, x=X, outputs=("P",)),
        "error[E0613]: param `V` is not bound",
    ),
    "param of another shape": (
        lambda m, p: m.forward({**p, "V": np.ones((3, 5))}, x=X, t=T),
        "error[E0203]: axis 1 of `V` has 5 elements, and 4 are needed",
    ),
    "examples that disagree": (
        lambda m, p: m.forward(p, x=X, t=T[:5]),
        "error[E0203]: axis 0 of `t` has 5 elements, and 6 are needed",
    ),
    "rank": (
        lambda m, p: m.forward(p, x=X[0], t=T),
        "error[E0612]: `x` has 2 axes, and the array has 1: (5,)",
    ),
    "text": (
        lambda m, p: m.forward(p, x=[["a"]], t=T),
        "error[E0616]: `x` is bound to text",
    ),
    "complex": (
        lambda m, p: m.forward(p, x=X + 1j, t=T),
        "error[E0616]: `x` is bound to complex numbers",
    ),
    "objects": (
        lambda m, p: m.forward(p, x=[[None]], t=T),
        "error[E0616]: `x` is bound to Python objects",
    ),
    "ragged": (
        lambda m, p: m.forward(p, x=[[1, 2], [3]], t=T),
        "error[E0616]: `x` is bound to no array: ",
    ),
    "outside": (
        lambda m, p: m.forward(p, x=X, t=[0, 1, 3, 0, -1, 2]),
        "error[E0618]: `t[2]` is 3, outside 0 … 2",
    ),
    "no integer": (
        lambda m, p: m.forward(p, x=X, t=[0, 1, 0.5, 0, 1, 2]),
        "error[E0617]: `t[2]` is 0.5, and an integer is needed",
    ),
    "no count": (
        lambda m, p: m.step(p, {}, x=X, t=T),
        "error[E0613]: state `W_velocity` is not bound",
    ),
    "batch": (
        lambda m, p: m.fit(x=X, t=T, batch=0),
        "error[E0803]: `batch` is 0, and has to be an integer from 1\n"
        "  help: the default is `batch=32`",
    ),
    "holdout": (
        lambda m, p: m.fit(x=X, t=T, holdout=20),
        "error[E0803]: `holdout` is 20, and there are 6 examples: none is left to train on",
    ),
    "optimizer": (
        lambda m, p: m.trainer(optimizer="adams"),
        "error[E0412]: there is no optimizer `adams`\n",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case: str):
    action, expected = REFUSED[case]
    model = eb.parse(PERCEPTRON)
    params = model.init(x=X)
    assert refusal(lambda: action(model, params)).startswith(expected)


def test_several_missing_inputs_are_told_at_once():
    said = refusal(lambda: eb.parse(PERCEPTRON).forward({}))
    assert said.count("error[E0613]") == 5


def test_backend_and_dtype_have_to_exist():
    assert refusal(lambda: eb.parse("x = 1", backend="nunpy")) == (
        "error[E0804]: there is no backend `nunpy`\n  help: did you mean `numpy`?"
    )
    assert refusal(lambda: eb.parse("x = 1", dtype="float16")).startswith("error[E0805]")
    assert eb.parse("dtype float64\nx = 1").dtype == "float64"
    assert eb.parse("dtype float64\nx = 1", dtype="float32").dtype == "float32"
    assert eb.parse("x = 1", dtype=np.float64).dtype == "float64"


def test_no_minibatch_from_an_axis_made_from_the_batch():
    text = "batch b < B\nindex m < 2*B\ninput x[m]\ninput y[b]\nparam W = 1\n"
    text += "for b,m: z[b] += W*x[m]*y[b]\nminimize z\ntrain sgd(lr=1)"
    assert refusal(lambda: eb.parse(text).fit(x=np.ones(4), y=np.ones(2))).startswith(
        "error[E0620]: no minibatch can be cut from `x`"
    )


def test_constants_are_numbers_of_any_kind():
    assert eb.parse(PERCEPTRON, set={"J": np.int64(3)}).init(x=X)["W"].shape == (3, 5)
    assert eb.parse("let W⁰ = 1\ny = W⁰", set={"W⁰": 1.5}).forward()["y"] == 1.5
    for wrong in ("3", None, float("nan"), [1]):
        assert refusal(lambda wrong=wrong: eb.parse(PERCEPTRON, set={"J": wrong})).startswith(
            f"error[E0623]: the constant `J` is set to {wrong!r}, which is no finite number"
        )


def test_arrays_come_by_name():
    assert refusal(lambda: eb.function("y = x")([1])) == (  # pyright: ignore
        "error[E0624]: arrays are given by name, and this is a list\n"
        '  help: give a dict, `{"x": …}`, or keywords, `x=…`'
    )
    assert eb.function("y = x")({"x": 1}) == 1


def test_one_name_may_come_alone(model: eb.Model):
    assert list(model.forward(model.init(x=X), x=X, outputs="P")) == ["P"]
    assert "x" in model.value_and_grad(model.init(x=X), x=X, t=T, wrt="x")[1]


def test_a_setting_is_a_number(model: eb.Model):
    assert refusal(lambda: model.fit(x=X, t=T, lr="fast")).startswith(
        "error[E0412]: `lr` is 'fast', which is no setting"
    )


def test_a_trainer_has_its_params_before_the_first_step(model: eb.Model):
    params = model.init(x=X)
    given = model.trainer(params).params
    assert (given["W"] == params["W"]).all()
    assert given["W"] is not params["W"]


# --- where values start


def test_draws_depend_on_seed_and_name_alone():
    text = "index i < 3\nparam W[i] ~ normal(0, 1)\n"
    alone = eb.parse(text).init(seed=5)["W"]
    beside = eb.parse("index i < 3\nparam V[i] ~ normal(0, 1)\nparam W[i] ~ normal(0, 1)")
    assert (beside.init(seed=5)["W"] == alone).all()
    assert not (beside.init(seed=5)["V"] == alone).any()
    assert not (beside.init(seed=6)["W"] == alone).any()


def test_initial_values_of_every_form():
    text = """
index i < 2, j < 3, k < 1000
input x[k]
param A[i,j] = [[1, 2, 3], [4, 5, 1/3]]
param D[i,j] = [i = j] + |j|
param E = 2^0.5
param H[i,k] ~ he()
param U[k] ~ uniform(2, 3)
for i,k: y[i] += H[i,k]*x[k]
"""
    params = eb.parse(text, dtype="float64").init(seed=0)
    assert params["A"].tolist() == [[1, 2, 3], [4, 5, 1 / 3]]
    assert params["D"].tolist() == [[4, 3, 3], [3, 4, 3]]
    assert params["E"].tolist() == 2**0.5
    assert np.std(params["H"]) == pytest.approx(np.sqrt(2 / 1000), rel=0.1)
    assert 2 <= params["U"].min() < params["U"].max() < 3


def test_draws_that_make_no_sense():
    assert refusal(lambda: eb.parse("param W ~ normal(0, -1)").init()).startswith(
        "error[E0619]: a standard deviation of -1 is negative"
    )
    assert refusal(lambda: eb.parse("param W ~ uniform(1, -1)").init()).startswith(
        "error[E0619]: 1 … -1 is empty"
    )


def test_literals_may_be_replaced():
    model = eb.parse("batch b\ninput x[b] = [1, 2, 3]\ny += x[b]")
    assert model.forward(outputs=("y",))["y"] == 6
    assert model.forward(x=[5], outputs=("y",))["y"] == 5


# --- updates


def test_a_state_has_its_count():
    model = eb.parse("param c = 1\nL = c^2\nminimize L\ntrain sgd(lr=1)")
    assert model.step(model.init(), {"step": 4})[1] == {"step": 5}
    for wrong in ({}, {"step": -1}, {"step": 0.5}, {"step": [1]}):
        assert refusal(lambda wrong=wrong: model.step(model.init(), wrong)) == (
            "error[E0622]: the state has no `step`, the number of updates so far\n"
            "  help: give back the state that `step` or `trainer.state` gave, or None to start anew"
        )


OWN = """
batch b < B
index i < 3
input x[b,i]
param W[i] = 0
state v[i] = 1
for b,i: y[b] += W[i]*x[b,i]
minimize y
report size = sum[i](W[i]^2)
a[i] = 2*W.grad[i]
v[i] = 0.5*v[i] + a[i]
W[i] -= v[i]/step
train batch=2
"""


@pytest.mark.parametrize("backend", BACKENDS)
def test_update_statements_of_ones_own(backend: str):
    model = eb.parse(OWN, dtype="float64", backend=backend)
    x = np.arange(6.0).reshape(2, 3)
    params, state = model.step(model.init(), None, x=x)
    assert np.allclose(state["v"], 0.5 + 2 * x.mean(0))
    assert np.allclose(params["W"], -state["v"])
    params, later = model.step(params, state, x=x)
    assert np.allclose(params["W"], -state["v"] - later["v"] / 2)
    assert [tensor.name for tensor in model.inputs] == ["x"]
    assert "step" not in model.forward(model.init(), x=x)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_state_may_be_written_and_never_read(backend: str):
    text = "param w = 0.5\nstate a = 0\nL = w^2\nminimize L\na = w.grad\nw -= 0.1*w.grad\n"
    model = eb.parse(text, dtype="float64", backend=backend)
    params, state = model.step(model.init())
    assert (params, state) == ({"w": pytest.approx(0.4)}, {"step": 1, "a": 1})
    trainer = model.trainer()
    trainer.step()
    assert trainer.state == {"step": 1, "a": 1}


@pytest.mark.parametrize("backend", BACKENDS)
def test_reports_are_of_the_params_before_the_update(backend: str):
    model = eb.parse(OWN, dtype="float64", backend=backend)
    result = model.fit(x=np.ones((2, 3)), epochs=1)
    assert result.reports["train"] == {"size": 0}
    assert result.loss == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_maximize_ascends(backend: str):
    text = "param W = 0\ny = -(W - 3)^2\nmaximize y\ntrain sgd(lr=0.1), epochs=100"
    result = eb.parse(text, backend=backend).fit()
    assert result.params["W"] == pytest.approx(3)


@pytest.mark.parametrize("backend", BACKENDS)
def test_hand_written_cotangents_train_nothing(backend: str):
    wrong = "minimize loss\nfor k: C.grad[k] = 1000\n"
    honest = eb.parse(PERCEPTRON, backend=backend).fit(x=X, t=T)
    claimed = eb.parse(PERCEPTRON.replace("minimize loss\n", wrong), backend=backend)
    assert (claimed.fit(x=X, t=T).params["C"] == honest.params["C"]).all()


def test_a_model_without_objective():
    model = eb.parse("index i < 2\nparam W[i] = 1\ny[i] = 2*W[i]")
    assert model.forward(model.init())["y"].tolist() == [2, 2]
    assert refusal(lambda: model.value_and_grad(model.init())).startswith("error[E0502]")
    assert refusal(lambda: model.fit()).startswith("error[E0801]")


def test_warnings():
    model = eb.parse(PERCEPTRON.replace("W[j,i]*x[b,i]", "W[j,i]*x[b,i] - J"))
    assert [warning.code for warning in model.warnings] == ["W0401"]


def test_a_gathered_implicit_input_has_the_extent_of_its_integers() -> None:
    rows = eb.function("input w[b] in v\ny[b,i] = E[w[b],i]")
    found = rows(w=[2, 0], E=[[1, 2], [3, 4], [5, 6]])
    assert np.array_equal(found, [[5, 6], [1, 2]])


@pytest.mark.parametrize("backend", ["numpy", "loops"])
def test_integers_never_wrap(backend: str):
    text = "index i < 3, k < 10\ninput n[i] in k = [9, 9, 9]\n"
    for line in (
        "s = sum[i](n[i]*4000000000000000000)",
        "s[i] = (n[i]*5000000000)*(n[i]*5000000000)",
        "s = max[i](n[i]*2000000000000000000)",
    ):
        with pytest.raises(eb.EinbatchError) as caught:
            eb.parse(f"{text}{line}\n", backend=backend).forward()
        assert caught.value.diagnostics[0].code == "E0626"
        exact = line.replace("n[i]*", "1.0*n[i]*")
        assert eb.parse(f"{text}{exact}\n", backend=backend).forward()["s"].dtype == np.float32
    assert (
        eb.parse(f"{text}s = sum[i](n[i]*300000000000000000)\n").forward()["s"] == 27 * 3 * 10**17
    )


# --- what is not done again


def counting(monkeypatch: pytest.MonkeyPatch, place: str) -> list[object]:
    """What a function, named by its module, is called with from now on."""
    calls: list[object] = []
    module, name = place.rsplit(".", 1)
    real = getattr(import_module(module), name)

    def counted(*arguments: object, **named: object) -> object:
        calls.append(arguments)
        return real(*arguments, **named)

    monkeypatch.setattr(place, counted)
    return calls


def test_known_shapes_are_bound_without_working_out_extents(
    model: eb.Model, monkeypatch: pytest.MonkeyPatch
):
    params = model.init(seed=1, x=X)
    sizes = counting(monkeypatch, "einbatch.model.binding.bind_extents")
    first = model.value_and_grad(params, x=X, t=T)
    again = model.value_and_grad(params, x=X + 1, t=T)
    assert first[0] != again[0]
    assert len(sizes) == 1
    with pytest.raises(eb.EinbatchError, match="E0203"):
        model.value_and_grad(params, x=X[:4], t=T)
    with pytest.raises(eb.EinbatchError, match="E0618"):
        model.value_and_grad(params, x=X, t=T + 1)
    assert model.value_and_grad(params, x=X[:4], t=T[:4])[0] == pytest.approx(
        by_hand(params, X[:4], T[:4])
    )
    assert model.value_and_grad(params, x=X, t=T)[0] == first[0]
    assert len(sizes) == 3


def test_a_function_works_out_extents_once_for_each_shape(monkeypatch: pytest.MonkeyPatch):
    function = eb.function("for b,i: y[b] += x[b,i]")
    sizes = counting(monkeypatch, "einbatch.model.binding.bind_extents")
    for rows in (2, 3, 2, 3):
        assert np.array_equal(function(x=np.ones((rows, 4))), np.full(rows, 4))
    assert len(sizes) == 2


def test_evaluating_again_makes_no_new_plan(monkeypatch: pytest.MonkeyPatch):
    model = eb.parse(PERCEPTRON)
    params = model.init(seed=1, x=X)
    plans = counting(monkeypatch, "einbatch.model.execution.plan")
    first = model.evaluate(params, x=X, t=T)
    assert model.evaluate(params, x=X, t=T) == first
    assert len(plans) == 1
