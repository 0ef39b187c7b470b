"""`einbatch eval` and `einbatch predict`, and what `run` saves for them."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import einbatch as eb

Run = Callable[..., Any]
FLOWERS = """\
batch b < B
index i < 2, k < 3
input x[b,i] from "train.csv:long,wide"
input kind[b] in k from "train.csv:kind"
param W[k,i] ~ normal(0, 1)
param c[k] = 0
for b,k: s[b,k] = sum[i](W[k,i]*x[b,i]) + c[k]
for b,k: P[b,k] = softmax[k](s[b,k])
for b: best[b] = argmax[k](s[b,k])
for b: loss[b] = -log(P[b,kind[b]])
minimize loss
report accuracy = mean[b]([best[b] = kind[b]])
train adam(lr=0.1), batch=8, epochs=20
"""
KINDS = ("aster", "größe", "rose")


def write_table(path: Path, count: int, seed: int, kinds: tuple[str, ...] = KINDS) -> list[str]:
    """Points around a place of each kind."""
    draws = np.random.default_rng(seed)
    names = [kinds[k] for k in draws.integers(0, len(kinds), count)]
    places = {"aster": (0, 0), "größe": (4, 0), "rose": (0, 4)}
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["kind", "long", "wide"])
        for name in names:
            writer.writerow([name, *(np.array(places[name]) + draws.normal(size=2) / 3)])
    return names


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """A classifier of a table with text labels."""
    write_table(tmp_path / "train.csv", 90, 0)
    path = tmp_path / "flowers.ein"
    path.write_text(FLOWERS, encoding="utf-8")
    return path


@pytest.fixture
def trained(run: Run, flowers: Path, tmp_path: Path) -> Path:
    """Its params."""
    path = tmp_path / "p.safetensors"
    assert run("run", flowers, "--save", path).code == 0
    return path


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(text.splitlines()))


def test_eval_is_the_loss_over_all_examples(run: Run, flowers: Path, trained: Path):
    code, out, _ = run("eval", flowers, "--load", trained)
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()] == ["loss", "accuracy"]
    found = json.loads(run("eval", flowers, "--load", trained, "--json").out)
    model, params = eb.load(flowers), eb.load_params(trained)
    values = model.forward(params)
    assert found.keys() == {"loss", "reports", "examples"}
    assert found["loss"] == pytest.approx(float(values["loss"].mean()), rel=1e-6)
    assert found["reports"] == {"accuracy": pytest.approx(float(values["accuracy"]))}
    assert found["examples"] == 90


def test_labels_mean_what_they_meant_in_training(
    run: Run, flowers: Path, trained: Path, tmp_path: Path
):
    """A table in which a class is missing numbers its labels as the training's did."""
    write_table(tmp_path / "test.csv", 50, 1, ("größe", "rose"))
    data = (
        "--data",
        f"x={tmp_path}/test.csv:long,wide",
        "--data",
        f"kind={tmp_path}/test.csv:kind",
    )
    found = json.loads(run("eval", flowers, "--load", trained, *data, "--json").out)
    assert found["reports"]["accuracy"] > 0.95
    run("run", flowers, "--save", tmp_path / "q.safetensors", "--load", trained, "--epochs", 1)
    assert eb.load(flowers).evaluate(eb.load_params(tmp_path / "q.safetensors")).loss < 0.3


def test_predictions_need_no_labels_and_have_names(
    run: Run, flowers: Path, trained: Path, tmp_path: Path
):
    names = write_table(tmp_path / "new.csv", 40, 2)
    (tmp_path / "train.csv").unlink()
    data = ("--data", f"x={tmp_path}/new.csv:long,wide")
    code, out, err = run("predict", flowers, "--load", trained, *data)
    assert (code, err) == (0, "")
    table = rows(out)
    assert list(table[0]) == ["P_aster", "P_größe", "P_rose", "kind", "best"]
    assert np.mean([row["kind"] == name for row, name in zip(table, names, strict=True)]) > 0.95
    assert [row["best"] for row in table] == [row["kind"] for row in table]
    assert sum(float(table[0][f"P_{name}"]) for name in KINDS) == pytest.approx(1, abs=1e-5)


def test_predictions_in_each_format(run: Run, flowers: Path, trained: Path, tmp_path: Path):
    expected = eb.load(flowers).predict(eb.load_params(trained), outputs=("s", "best"))
    kinds = np.array(KINDS)[np.argmax(expected["s"], axis=1)]
    call = ("predict", flowers, "--load", trained, "--output", "s", "--output", "best", "--out")
    for suffix in (".npz", ".csv", ".tsv"):
        assert run(*call, tmp_path / f"o{suffix}") == (0, "", "")
    with np.load(tmp_path / "o.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["s"], expected["s"])
        np.testing.assert_array_equal(arrays["kind"], kinds)
        np.testing.assert_array_equal(arrays["best"], kinds)
    text = (tmp_path / "o.csv").read_text("utf-8")
    assert (tmp_path / "o.tsv").read_text("utf-8") == text.replace(",", "\t")
    table = rows(text)
    assert [row["kind"] for row in table] == kinds.tolist()
    columns = np.array([[float(row[f"s_{name}"]) for name in KINDS] for row in table], np.float32)
    np.testing.assert_array_equal(columns, expected["s"])


def test_predictions_in_parquet(run: Run, flowers: Path, trained: Path, tmp_path: Path):
    parquet = pytest.importorskip("pyarrow.parquet")
    call = ("predict", flowers, "--load", trained, "--output", "s,best", "--out")
    assert run(*call, tmp_path / "o.parquet") == (0, "", "")
    table = parquet.read_table(tmp_path / "o.parquet").to_pydict()
    expected = eb.load(flowers).predict(eb.load_params(trained), outputs=("s", "best"))
    np.testing.assert_array_equal(np.array(table["s"], np.float32), expected["s"])
    assert table["best"] == np.array(KINDS)[expected["best"]].tolist()
    assert table["kind"] == table["best"]


def test_what_predict_refuses(run: Run, flowers: Path, trained: Path, tmp_path: Path):
    call = ("predict", flowers, "--load", trained)
    for arguments, code in [
        (("--out", tmp_path / "o.txt"), "E0604"),
        (("--out", tmp_path / "no" / "o.csv"), "E0609"),
        (("--output", "W"), "E0844"),
        (("--output", "Q"), "E0614"),
        (("--output", "loss", "--data", f"kind={tmp_path}/no.csv:kind"), "E0601"),
    ]:
        assert run(*call, *arguments).err.startswith(f"error[{code}]")
    assert run("predict", flowers).err.startswith("error[E0613]: param `W` is not bound")
    assert run("eval", flowers).err.startswith("error[E0613]: param `W` is not bound")


@pytest.mark.parametrize(
    ("body", "outputs"),
    [
        ("y[b] = sum[i](w[i]*x[b,i])\nL[b] = (y[b] - t[b])^2\nminimize L", ("y",)),
        ("y[b] = sum[i](w[i]*x[b,i])\ne[b] = y[b] - t[b]\nL[b] = e[b]^2\nminimize L", ("y",)),
        ("y[b] = sum[i](w[i]*x[b,i])\nn = mean[b](y[b])\nz[b] = y[b] - n", ("z",)),
        ("h[b] = x[b,0]*t[b]\ny[b] = sum[i](w[i]*x[b,i])*h[b]\nz[b] = w[0]*y[b]", ("z",)),
        ("L[b] = (sum[i](w[i]*x[b,i]) - t[b])^2\nminimize L", None),
        ("L = sum[i](w[i]^2)\nminimize L", None),
        ("scan i:\n    h[b,i] = (h[b,i-1] else 0)*w[i] + x[b,i]\ny[b] = h[b,1]", ("y",)),
    ],
)
def test_default_outputs(body: str, outputs: tuple[str, ...] | None):
    head = "batch b < B\nindex i < 2\ninput x[b,i]\ninput t[b]\nparam w[i] = 1\n"
    model = eb.parse(head + body)
    data = {"x": np.ones((3, 2)), "t": np.ones(3)}
    if outputs is None:
        with pytest.raises(eb.EinbatchError, match="E0843"):
            model.predict(model.init(), data)
    else:
        found = model.predict(model.init(), data)
        assert tuple(found) == outputs
        values = model.forward(model.init(), data, outputs=outputs)
        np.testing.assert_array_equal(found[outputs[0]], values[outputs[0]])


def test_predictions_are_made_in_parts():
    model = eb.parse("batch b < B\ninput x[b]\nparam w = 3\ny[b] = w*x[b]\nn = |b|")
    x = np.arange(5000.0)
    found = model.predict(model.init(), x=x, outputs=("y", "w"))
    np.testing.assert_array_equal(found["y"], 3 * x)
    assert found["w"] == 3


def test_predictions_lie_in_rows():
    text = (
        "batch b < B\ninput x[b]\nindex c < B, i < 2\nparam w = 3\nfor b,c: D[b,c] = w*x[b]*x[c]\n"
    )
    model = eb.parse(f"{text}for i,b: y[i,b] = w*x[b]")
    for name in ("D", "y"):
        with pytest.raises(eb.EinbatchError, match=f"E0842.*`{name}`"):
            model.predict(model.init(), x=np.ones(3), outputs=name)


def test_nothing_to_evaluate():
    model = eb.parse("batch b < B\ninput x[b]\nparam w = 3\ny[b] = w*x[b]")
    with pytest.raises(eb.EinbatchError, match="E0841"):
        model.evaluate(model.init(), x=[1.0])


NORMED = """\
batch b < B
input x[b]
param w = 1
state mean = 0
m = mean[b](x[b])
y[b] = w*(x[b] - (if [training] = 1 then m else average))
loss[b] = (y[b] - 1)^2
minimize loss
average = 0.5*average + 0.5*m
train sgd(lr=0.1), batch=4, epochs=3, holdout=4
""".replace("state mean", "state average")


def test_running_averages_are_saved_with_the_params(run: Run, tmp_path: Path):
    """What forward statements read of the state is as good as a param later on."""
    path, saved = tmp_path / "n.ein", tmp_path / "p.safetensors"
    path.write_text(NORMED, encoding="utf-8")
    np.savez(tmp_path / "d.npz", x=np.arange(12.0) + 100)
    data = ("--data", tmp_path / "d.npz")
    assert run("run", path, *data, "--save", saved).code == 0
    params = eb.load_params(saved)
    assert set(params) == {"w", "average"}
    assert params["average"] > 50
    table = rows(run("predict", path, *data, "--load", saved).out)
    expected = params["w"] * (np.arange(12.0) + 100 - params["average"])
    np.testing.assert_allclose([float(row["y"]) for row in table], expected, rtol=1e-5)
    assert run("run", path, *data, "--load", saved, "--save", saved, "--epochs", 0).code == 0
    assert eb.load_params(saved)["average"] == params["average"]
    result = eb.load(path).fit(x=np.arange(12.0) + 100, patience=1)
    assert result.best is not None
    assert set(result.best.params) == {"w", "average"}


def test_patience_saves_the_best(run: Run, program: Path, tmp_path: Path):
    saved, out = tmp_path / "p.safetensors", tmp_path / "o.npz"
    program.write_text(program.read_text("utf-8").replace("lr=rate", "lr=2*step"), "utf-8")
    call = ("run", program, "--epochs", 40, "--patience", 3, "--save", saved, "--out", out)
    code, text, _ = run(*call)
    assert code == 0
    result = eb.load(program).fit(epochs=40, patience=3)
    assert result.best is not None
    assert len(result.history) == result.best.epoch + 3 < 40
    assert f"the params of epoch {result.best.epoch}, the best, are those that are" in text
    np.testing.assert_array_equal(eb.load_params(saved)["W"], result.best.params["W"])
    np.testing.assert_array_equal(np.load(out)["W"], result.best.params["W"])
    found = json.loads(run(*call, "--json").out)
    assert found["best"] == {"epoch": result.best.epoch, "loss": pytest.approx(result.best.loss)}
    last = run("run", program, "--epochs", len(result.history), "--save", saved)
    assert "best epoch" in last.out
    np.testing.assert_array_equal(eb.load_params(saved)["W"], result.params["W"])


def test_holdout_by_number_and_by_file(run: Run, program: Path, tmp_path: Path):
    def held(*arguments: object) -> float:
        return json.loads(run("run", program, "--json", *arguments).out)["holdout_loss"]

    model, data = eb.load(program), dict(np.load(tmp_path / "data.npz"))
    x, t = data["x"], data["t"]
    assert held("--holdout", 3) == held() == held("--holdout", "0.25")
    np.savez(tmp_path / "test.npz", x=x[:5] + 1, t=t[:5], more=x)
    expected = model.fit(holdout={"x": x[:5] + 1, "t": t[:5]}).holdout_loss
    assert held("--holdout", tmp_path / "test.npz") == expected
    parts = ("--holdout", f"x={tmp_path}/test.npz", "--holdout", f"t={tmp_path}/test.npz:t")
    assert held(*parts) == expected
    assert held("--holdout", 0) is None
    code, _, err = run("run", program, "--holdout", parts[1])
    assert code == 1
    assert err.startswith("error[E0613]: input `t` is not bound for the examples that are held out")
    assert run("run", program, "--holdout", 0.1, "--holdout", 0.2).code == 2
    assert run("run", program, "--holdout", 12).err.startswith("error[E0803]: `holdout` is 12, and")
    assert run("run", program, "--holdout", tmp_path / "no.npz").err.startswith("error[E0601]")


def test_labels_that_are_trained_on_say_what_the_classes_are(
    run: Run, flowers: Path, tmp_path: Path
):
    write_table(tmp_path / "few.csv", 9, 1, ("aster", "rose"))
    write_table(tmp_path / "all.csv", 9, 1)
    losses: list[float] = []
    for table in ("few", "all"):
        columns = {"x": "long,wide", "kind": "kind"}
        held = [f"{name}={tmp_path}/{table}.csv:{key}" for name, key in columns.items()]
        options = [word for reference in held for word in ("--holdout", reference)]
        outcome = run("run", flowers, "--json", "--checkpoint", tmp_path / table, *options)
        assert outcome.code == 0, outcome.err
        losses.append(json.loads(outcome.out)["holdout_loss"])
    assert max(losses) < 1  # a rose taken for a größe would be far off
    assert run("report", tmp_path / "few").code == 0
    page = (tmp_path / "few" / "report.html").read_text("utf-8")
    assert all(f">{kind}</th>" in page for kind in KINDS)


def test_names_of_another_program(run: Run, program: Path, tmp_path: Path):
    theirs, ours = tmp_path / "t.safetensors", tmp_path / "o.safetensors"
    weights = np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    eb.save({"fc.weight": weights, "count": np.array(3)}, theirs)
    line = ("--map", "W[k,i]=fc.weight[i,k]")
    assert run("run", program, "--load", theirs, *line, "--epochs", 0, "--save", ours).code == 0
    assert set(eb.load_params(ours)) == {"fc.weight"}
    np.testing.assert_array_equal(eb.load_params(ours)["fc.weight"], weights)
    loss = json.loads(run("eval", program, "--load", theirs, *line, "--json").out)["loss"]
    expected = eb.load(program).evaluate({"W": weights.T}).loss
    assert loss == expected
    assert "E0614" in run("eval", program, "--load", theirs).err
    assert "E0611" in run("eval", program, "--load", theirs, "--map", "W=fc.weights").err
    assert "E0641" in run("eval", program, "--load", theirs, "--map", "W").err
    assert "E0613" in run("eval", program, "--load", theirs, "--map", "V=fc.weight").err
    for line, code in (("W[k]=fc.weight[k]", "E0641"), ("V=fc.weight", "E0611")):
        refused = run("run", program, "--save", ours, "--map", line)  # before it trains
        assert (refused.code, refused.out, code in refused.err) == (1, "", True)
