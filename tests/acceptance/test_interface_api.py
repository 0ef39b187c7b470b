"""The Python interface, line by line as its block shows it, and what a hostile caller gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import einbatch as eb

MLP = """
let J = 4
batch b < B
index j < J, k < 3
input x[b,i]
input t[b] in k
param W⁰[j,i] ~ normal(0, 1)
param W1[k,j] ~ glorot()
for b,j,i: g[b,j] += W⁰[j,i]*x[b,i]
for b,j: h[b,j] = tanh(g[b,j])
for b,k,j: s[b,k] += W1[k,j]*h[b,j]
for b,k: P[b,k] = softmax[k](s[b,k])
for b: loss[b] = -log(P[b,t[b]])
minimize loss
report accuracy = mean[b]([argmax[k](s[b,k]) = t[b]])
train sgd(lr=0.5, momentum=0.5), batch=4, epochs=2
"""
X = np.random.default_rng(0).normal(size=(6, 5))
T = np.array([0, 1, 2, 0, 1, 2])


@pytest.fixture(params=["numpy", "loops"])
def model(request: pytest.FixtureRequest) -> eb.Model:
    return eb.parse(MLP, dtype="float64", backend=request.param)


def test_the_block_as_it_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("mlp.ein").write_text(MLP, encoding="utf-8")
    x, t, W = X, T, np.ones((4, 5))
    model = eb.load("mlp.ein", set={"J": 512}, dtype="float64", backend="numpy")
    params = model.init(seed=0, x=x)
    assert {name: array.shape for name, array in params.items()} == {"W0": (512, 5), "W1": (3, 512)}
    values = model.forward(params, x=x, t=t)
    assert {"h", "loss", "W0", "x"} <= values.keys()
    P = model.forward(params, x=x, outputs=("P",))["P"]
    assert np.array_equal(P, values["P"])
    loss, grads = model.value_and_grad(params, x=x, t=t)
    assert loss == pytest.approx(values["loss"].mean())
    assert grads.keys() == {"W0", "W1"}
    assert model.value_and_grad(params, x=x, t=t, wrt=("x",))[1].keys() == {"W0", "W1", "x"}
    assert "W⁰.grad[j,i] += 1/B*g.grad[b,j]*x[b,i]" in str(model.backward)
    state = None
    params, state = model.step(params, state, x=x, t=t)
    params, state = model.step(params, state, x=x, t=t)
    trainer = model.trainer(params=None, seed=0)
    assert isinstance(trainer.step(x=x, t=t), float)
    trainer.step(x=x, t=t)
    assert all(np.allclose(trainer.params[name], params[name]) for name in params)
    eb.save(params, "m.safetensors")
    loaded = eb.load_params("m.safetensors")
    assert all(np.array_equal(loaded[name], params[name]) for name in params)
    result = model.fit(x=x, t=t, epochs=5)
    assert len(result.history) == 5
    assert result.params.keys() == params.keys()
    f = eb.function("for b,i,j: h[b,j] += W[j,i]*x[b,i]")
    h = f(W=W, x=x)
    assert np.allclose(h, x @ W.T)


def alike(array: np.ndarray) -> Iterator[Any]:
    yield array.tolist()
    yield tuple(map(tuple, array)) if array.ndim == 2 else tuple(array)
    yield np.asfortranarray(array)
    wide = np.zeros((*array.shape[:-1], 3 * array.shape[-1]), array.dtype)
    wide[..., 1::3] = array
    yield wide[..., 1::3]
    yield np.ascontiguousarray(array[::-1])[::-1]
    yield array.astype(array.dtype.newbyteorder(">"))
    frozen = array.copy()
    frozen.flags.writeable = False
    yield frozen
    yield behind_a_byte(array)


def behind_a_byte(array: np.ndarray) -> np.ndarray:
    """The same numbers where no element lies at a multiple of its size."""
    odd = np.frombuffer(bytearray(array.nbytes + 1), array.dtype, array.size, 1)
    odd = odd.reshape(array.shape)
    odd[...] = array
    assert not odd.flags.aligned
    return odd


def test_anything_array_like_goes_in(model: eb.Model):
    params = model.init(x=X)
    wanted = model.forward(params, x=X, t=T)
    for x in alike(X):
        for found in (
            model.forward(params, x=x, t=T),
            model.forward(params, {"x": x, "t": T.astype(np.uint8)}),
        ):
            assert all(np.array_equal(found[name], wanted[name]) for name in wanted)
    for t in (*alike(T), T.astype(float), T.astype(np.float16), T.astype(np.uint64)):
        assert np.array_equal(model.forward(params, x=X, t=t)["loss"], wanted["loss"])
    small = X.astype(np.float16)
    half = model.forward(params, x=small, t=T)
    assert np.array_equal(half["x"], small.astype(float))
    truth = model.forward(params, x=X > 0, t=T)
    assert np.array_equal(truth["P"], model.forward(params, x=(X > 0) * 1.0, t=T)["P"])
    given = {name: array.tolist() for name, array in params.items()}
    assert model.value_and_grad(given, x=X, t=T)[0] == pytest.approx(wanted["loss"].mean())


def test_a_trainer_takes_what_is_not_aligned_after_what_is(model: eb.Model):
    params = model.init(x=X)
    trainers = model.trainer(params), model.trainer(params)
    for x in (X, behind_a_byte(X), X):
        assert trainers[0].step(x=x, t=T) == trainers[1].step(x=X, t=T)


def everything(model: eb.Model, params: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    trainer = model.trainer(params)
    trainer.step(x=X, t=T)
    stepped, state = model.step(params, None, x=X, t=T)
    result = model.fit(x=X, t=T, params=params)
    return [
        model.forward(params, x=X, t=T),
        model.forward(params, x=X, outputs=("P", "x", "W0")),
        model.value_and_grad(params, x=X, t=T, wrt=("x",))[1],
        model.cotangents(params, x=X, t=T),
        stepped,
        {name: value for name, value in state.items() if name != "step"},
        trainer.params,
        {name: value for name, value in trainer.state.items() if name != "step"},
        result.params,
    ]


def test_what_comes_out_is_the_callers_alone(model: eb.Model):
    params = model.init(x=X)
    own = {"x": X, "t": T, **params}
    before = {name: array.copy() for name, array in own.items()}
    first = everything(model, params)
    copies = [{name: array.copy() for name, array in found.items()} for found in first]
    second = everything(model, params)
    arrays = [a for found in (*first, *second, own) for a in found.values()]
    assert not any(np.shares_memory(a, b) for a, b in combinations(arrays, 2))
    for found, copy in zip(first, copies, strict=True):
        assert all(np.array_equal(found[name], copy[name]) for name in found)
        for array in found.values():
            array[...] = 7
    for found, copy in zip(everything(model, params), copies, strict=True):
        assert all(np.array_equal(found[name], copy[name]) for name in found)
    assert all(np.array_equal(own[name], before[name]) for name in own)


def test_a_function_hands_out_no_argument():
    x = np.ones(3, np.float32)
    f = eb.function("for i: y[i] = x[i]\nfor i: z[i] = y[i]", outputs=("y", "z"))
    found = f(x=x)
    assert isinstance(found, dict)
    assert not any(np.shares_memory(a, b) for a, b in combinations([x, *found.values()], 2))


def test_names_in_any_of_their_forms(model: eb.Model):
    params = model.init(x=X)
    assert list(params) == ["W0", "W1"]
    wanted = model.value_and_grad(params, x=X, t=T)[0]
    given = {"W⁰": params["W0"], "W₁": params["W1"]}
    assert model.value_and_grad(given, {"x": X, "t": T})[0] == wanted
    assert model.trainer(given).step(data={"x": X, "t": T}) == wanted
    assert model.step(given, None, {"x": X, "t": T})[0].keys() == params.keys()
    assert list(model.forward(given, x=X, outputs=("W⁰", "P"))) == ["W0", "P"]
    named = eb.parse("input lambda[b]\ninput x⁰[b]\ny[b] = lambda[b] + x⁰[b]\nbatch b")
    for name in ("x0", "x⁰", "x₀"):
        assert named.forward(data={"lambda": [1], name: [2]})["y"] == [3]


class Hostile:
    def __array__(self, *_: object, **__: object) -> np.ndarray:
        raise KeyError("no")


HUGE = 10**30
WRONG: tuple[Any, ...] = (
    *(None, "abc", "", b"x", 1j, 1.5, -1, True, float("nan"), HUGE, object(), int, len),
    *({"a": 1}, {1: 2}, {None: 1}, {"x"}, [1, 2], [[1], [2, 3]], [], ("x", 1), range(6)),
    *(np.array(1.0), np.zeros((0, 5)), np.zeros((6, 0)), np.zeros((6, 5, 1)), X, T, -T - 1),
    *(np.full(6, np.nan), np.full(6, 1e30), np.full(6, 2**64 - 1, np.uint64)),
    *(np.array(["a"] * 6), np.array([None] * 6), np.zeros(6, "M8[D]"), np.zeros(6, "i4,f8")),
    *(Hostile(), "\ud800", "\0", memoryview(b"abc")),
)
Call = Callable[[eb.Model, dict[str, np.ndarray], Any], object]
CALLS: dict[str, Call] = {
    "init data": lambda m, p, v: m.init(0, v),
    "init x": lambda m, p, v: m.init(0, x=v),
    "params": lambda m, p, v: m.forward(v, x=X, t=T),
    "a param": lambda m, p, v: m.value_and_grad({**p, "W0": v}, x=X, t=T),
    "x": lambda m, p, v: m.value_and_grad(p, x=v, t=T),
    "t": lambda m, p, v: m.value_and_grad(p, x=X, t=v),
    "data": lambda m, p, v: m.forward(p, v),
    "unknown": lambda m, p, v: m.forward(p, x=X, t=T, y=v),
    "outputs": lambda m, p, v: m.forward(p, x=X, t=T, outputs=v),
    "wrt": lambda m, p, v: m.value_and_grad(p, x=X, t=T, wrt=v),
    "direction": lambda m, p, v: m.hessian_vector_product(p, v, x=X, t=T),
    "state": lambda m, p, v: m.step(p, v, x=X, t=T),
    "a state": lambda m, p, v: m.step(p, {"step": 1, "W0_velocity": v, "W1_velocity": v}, x=X, t=T),
    "the count": lambda m, p, v: m.step(p, {"step": v}, x=X, t=T),
    "trainer": lambda m, p, v: m.trainer(v).step(x=X, t=T),
    "trainer x": lambda m, p, v: m.trainer(p).step(x=v, t=T),
    "trainer t": lambda m, p, v: m.trainer(p).step(x=X, t=v),
    "trainer data": lambda m, p, v: m.trainer(p).step(v),
    "trainer optimizer": lambda m, p, v: m.trainer(p, optimizer=v),
    "trainer lr": lambda m, p, v: m.trainer(p, lr=v),
    "trainer setting": lambda m, p, v: m.trainer(p, speed=v),
    "fit x": lambda m, p, v: m.fit(x=v, t=T),
    "fit t": lambda m, p, v: m.fit(x=X, t=v),
    "fit params": lambda m, p, v: m.fit(x=X, t=T, params=v),
    "fit epochs": lambda m, p, v: m.fit(x=X, t=T, epochs=0 if v is HUGE else v),
    "fit batch": lambda m, p, v: m.fit(x=X, t=T, batch=v),
    "fit holdout": lambda m, p, v: m.fit(x=X, t=T, holdout=v),
    "fit seed": lambda m, p, v: m.fit(x=X, t=T, seed=v),
    "fit lr": lambda m, p, v: m.fit(x=X, t=T, lr=v),
    "parse": lambda m, p, v: eb.parse(v),
    "set": lambda m, p, v: eb.parse(MLP, set=v),
    "a constant": lambda m, p, v: eb.parse(MLP, set={"J": v}),
    "dtype": lambda m, p, v: eb.parse(MLP, dtype=v),
    "backend": lambda m, p, v: eb.parse(MLP, backend=v),
    "folder": lambda m, p, v: eb.parse(MLP, folder=v),
    "load": lambda m, p, v: eb.load(v),
    "function": lambda m, p, v: eb.function(v),
    "function outputs": lambda m, p, v: eb.function("y[i] = 2*x[i]", v),
    "an argument": lambda m, p, v: eb.function("y[i] = 2*x[i]")(x=v),
    "arguments": lambda m, p, v: eb.function("y[i] = 2*x[i]")(v),
    "load_params": lambda m, p, v: eb.load_params(v),
    "save": lambda m, p, v: eb.save(v, "no/such/folder"),
    "save an array": lambda m, p, v: eb.save({"W": v}, "no/such/folder"),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_error_is_an_einbatch_error(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    model = eb.parse(MLP)
    params = model.init(x=X)
    refused = 0
    for value in WRONG:
        try:
            CALLS[name](model, params, value)
        except eb.EinbatchError as error:
            assert str(error).startswith("error[E")
            refused += 1
    assert refused >= 3


def test_the_words_for_wrong_types(model: eb.Model):
    def said(action: Callable[[], object]) -> str:
        with pytest.raises(eb.EinbatchError) as caught:
            action()
        return str(caught.value).splitlines()[0]

    wrong: Any = 3
    assert said(lambda: model.forward({3: X})) == (
        "error[E0624]: tensors have names, and this is a int"
    )
    assert said(lambda: eb.parse(wrong)) == "error[E0104]: a program is a text, and this is a int"
    assert said(lambda: eb.load(wrong)) == "error[E0104]: a path is a text, and this is a int"
    assert said(lambda: eb.save(wrong, "m")) == (
        "error[E0624]: params are given by name, and this is a int"
    )
    assert said(lambda: model.fit(x=X, t=T, epochs="many")) == (
        "error[E0803]: `epochs` is many, and has to be a number"
    )
    assert said(lambda: model.trainer(optimizer=wrong)) == (
        "error[E0412]: there is no optimizer `3`"
    )
