"""Holdout, patience, the best params and schedules, through `fit`."""

from __future__ import annotations

import numpy as np
import pytest

import einbatch as eb

PROGRAM = """
batch b < B
index i < 2
dtype float64
input x[b,i]
input t[b]
input scale
param w[i] = 0
y[b] = scale*sum[i](w[i]*x[b,i])
loss[b] = (y[b] - t[b])^2
minimize loss
report size = mean[b](abs(y[b]))
train sgd(lr=0.05), batch=4, epochs=3
"""
DRAWS = np.random.default_rng(5)
X = DRAWS.normal(size=(20, 2))
T = X @ [1.0, -2.0]
DATA = {"x": X, "t": T, "scale": 1.0}


def loss(params: dict[str, np.ndarray], x: np.ndarray, t: np.ndarray) -> float:
    return float(((x @ params["w"] - t) ** 2).mean())


def test_a_number_of_examples_is_held_out() -> None:
    model = eb.parse(PROGRAM)
    by_number, by_part = model.fit(DATA, holdout=5), model.fit(DATA, holdout=0.25)
    assert by_number.holdout_loss == by_part.holdout_loss != None  # noqa: E711
    assert by_number.best is not None
    assert by_number.best.epoch == 3
    np.testing.assert_array_equal(by_number.best.params["w"], by_number.params["w"])


def test_other_examples_are_held_out() -> None:
    model = eb.parse(PROGRAM)
    apart = {"x": X[:7] + 1, "t": T[:7]}
    result, plain = model.fit(DATA, holdout=apart), model.fit(DATA)
    np.testing.assert_array_equal(result.params["w"], plain.params["w"])  # all are trained on
    expected = loss(result.params, X[:7] + 1, T[:7])
    assert result.holdout_loss == pytest.approx(expected, rel=1e-12)
    assert result.reports["holdout"]["size"] > 0
    assert plain.best is None


def test_other_examples_need_all_their_inputs() -> None:
    with pytest.raises(eb.EinbatchError, match="input `t` is not bound"):
        eb.parse(PROGRAM).fit(DATA, holdout={"x": X})
    with pytest.raises(eb.EinbatchError, match="no input `z`"):
        eb.parse(PROGRAM).fit(DATA, holdout={"x": X, "t": T, "z": T})
    with pytest.raises(eb.EinbatchError, match="`holdout` is 20, and there are 20 examples"):
        eb.parse(PROGRAM).fit(DATA, holdout=20)


def test_the_best_params_are_kept() -> None:
    """A rate that grows soon makes things worse: the best is where it was small."""
    model = eb.parse(PROGRAM)
    result = model.fit(DATA, holdout=0.3, epochs=50, patience=3, lr="0.02*step")
    assert result.best is not None
    assert len(result.history) == result.best.epoch + 3 < 50
    held = [record["holdout_loss"] for record in result.history]
    assert result.best.loss == min(held) == held[result.best.epoch - 1]
    assert result.holdout_loss == held[-1] > result.best.loss
    again = model.fit(DATA, holdout=0.3, epochs=result.best.epoch, lr="0.02*step")
    np.testing.assert_array_equal(result.best.params["w"], again.params["w"])


def test_patience_without_a_holdout_watches_the_training() -> None:
    result = eb.parse(PROGRAM).fit(DATA, epochs=50, patience=2, lr="0.02*step")
    losses = [record["loss"] for record in result.history]
    assert result.best is not None
    assert len(losses) == result.best.epoch + 2 < 50
    assert result.best.loss == min(losses)


def test_steps_are_those_of_the_whole_training() -> None:
    model = eb.parse(PROGRAM.replace("lr=0.05", "lr=0.1*(1 - step/steps)"))
    result = model.fit(DATA, holdout=4)
    trainer = model.trainer(steps=12)
    assert result.state["step"] == 12
    with pytest.raises(eb.EinbatchError) as caught:
        model.trainer().step(DATA)
    assert str(caught.value) == (
        "error[E0625]: the updates read `steps`, and nobody says how many updates there will be\n"
        "  help: give it: `steps=1000`; `fit` and `einbatch run` count the updates themselves"
    )
    with pytest.raises(eb.EinbatchError, match="E0625"):
        model.step(result.params, result.state, DATA)
    for _ in range(12):
        trainer.step(DATA)
    last = trainer.params["w"]
    before = model.trainer(steps=12)
    for _ in range(11):
        before.step(DATA)
    np.testing.assert_array_equal(before.params["w"], last)  # the last step has a rate of 0


def test_a_training_that_goes_on_counts_from_where_it_was() -> None:
    model = eb.parse(PROGRAM.replace("lr=0.05", "lr=0.1*(1 - step/steps)"))
    first = model.fit(DATA)
    second = model.fit(DATA, params=first.params, state=first.state)
    assert second.state["step"] == 30
    assert not np.array_equal(first.params["w"], second.params["w"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0.1), batch=(3", "is '0.1), batch=(3', which is more than one expression"),
        ("0.1*", "E0101"),
        ("0.1*stp", "which is no setting: the program has no `stp`\n  help: did you mean `step`?"),
        ("x", "E0206"),
    ],
)
def test_settings_as_text(text: str, said: str) -> None:
    with pytest.raises(eb.EinbatchError) as caught:
        eb.parse(PROGRAM).fit(DATA, lr=text)
    assert said in str(caught.value)


def test_a_named_rate_is_a_statement() -> None:
    """What stands after `minimize` may be a setting, a state included."""
    head, _, _ = PROGRAM.partition("train ")
    inline = eb.parse(f"{head}train adam(lr=0.1*min(1, step/4)), batch=4, epochs=3")
    named = eb.parse(f"{head}rate = 0.1*min(1, step/4)\ntrain adam(lr=rate), batch=4, epochs=3")
    np.testing.assert_array_equal(inline.fit(DATA).params["w"], named.fit(DATA).params["w"])
    kept = eb.parse(f"state r = 1\n{head}r *= 0.5\ntrain sgd(lr=r), batch=4, epochs=1")
    power = eb.parse(f"{head}train sgd(lr=0.5^step), batch=4, epochs=1")
    np.testing.assert_allclose(kept.fit(DATA).params["w"], power.fit(DATA).params["w"])
