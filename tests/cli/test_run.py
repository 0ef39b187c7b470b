"""`einbatch run`: every row of its options."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import einbatch as eb

Run = Callable[..., Any]


def test_training_prints_a_line_for_each_epoch_and_a_summary(run: Run, program: Path):
    code, out, err = run("run", program)
    lines = out.splitlines()
    assert (code, err) == (0, "")
    assert lines[0].startswith("epoch 1/2  loss 2.029  accuracy 0.1111  holdout loss ")
    assert "  holdout accuracy " in lines[0]
    assert [line.split("  ")[0].strip() for line in lines[2:]] == [
        *("loss", "accuracy", "holdout loss", "holdout accuracy"),
    ]


def test_the_train_line_can_be_overridden(run: Run, program: Path):
    found = json.loads(run("run", program, "--json", "--epochs", 3, "--batch", 2).out)
    assert len(found["history"]) == 3
    first = run("run", program, "--json", "--seed", 1).out
    assert first == run("run", program, "--json", "--seed", 1).out
    assert first != run("run", program, "--json", "--seed", 2).out


def test_json_is_one_object(run: Run, program: Path):
    code, out, err = run("run", program, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found.keys() == {"loss", "holdout_loss", "reports", "history", "tensors", "best"}
    assert found["reports"].keys() == {"train", "holdout"}
    assert found["reports"]["holdout"].keys() == {"accuracy"}
    assert found["history"][1]["loss"] == found["loss"]
    assert found["tensors"]["P"] == [12, 2]
    assert found["tensors"]["accuracy"] == []


def test_out_holds_every_tensor_at_the_final_params(run: Run, program: Path, tmp_path: Path):
    out, saved = tmp_path / "o.npz", tmp_path / "p.safetensors"
    assert run("run", program, "--out", out, "--save", saved, "--grad").code == 0
    params = eb.load_params(saved)
    model = eb.load(program)
    with np.load(out) as values:
        assert np.array_equal(values["W"], params["W"])
        assert np.allclose(values["s"], model.forward(params)["s"])
        assert np.allclose(values["W.grad"], model.value_and_grad(params)[1]["W"], atol=1e-6)
        assert {"x", "t", "P", "loss", "accuracy", "s.grad", "loss.grad"} < set(values.files)


def test_load_starts_from_saved_params(run: Run, program: Path, tmp_path: Path):
    saved = tmp_path / "p.safetensors"
    run("run", program, "--save", saved)
    again = run("run", program, "--load", saved, "--no-train", "--json")
    assert json.loads(again.out)["history"] == []
    eb.save({"W": np.zeros((2, 3)), "U": np.zeros(1)}, saved)
    code, _, err = run("run", program, "--load", saved)
    assert (code, err) == (1, "error[E0614]: the program has no param `U`\n  help: it has `W`\n")
    eb.save({}, saved)
    assert "error[E0613]: param `W` is not bound" in run("run", program, "--load", saved).err
    assert run("run", program, "--load", tmp_path / "none").code == 1


def test_no_train_evaluates_and_prints(run: Run, program: Path):
    code, out, _ = run("run", program, "--no-train", "--grad")
    assert code == 0
    assert "W[k,i] =\n[[" in out
    assert "\nP[b,k] =\n" in out
    assert "\nW.grad[k,i] =\n" in out
    assert "\nmean loss = 2.323533" in out
    assert out.splitlines()[-1].startswith("accuracy = 0.")


def test_without_a_train_line_everything_is_printed(run: Run, tmp_path: Path):
    path = tmp_path / "h.ein"
    path.write_text("input x[i] = [1, 2]\nĥ[i] = 2*x[i]\ny += ĥ[i]\nz = 3\n")
    assert run("run", path).out == "x[i] = [1. 2.]\nĥ[i] = [2. 4.]\ny = 6.0\nz = 3.0\n"
    found = json.loads(run("run", path, "--json").out)
    assert found["loss"] is None
    assert found["tensors"] == {"x": [2], "ĥ": [2], "y": [], "z": []}


def test_constants_dtype_and_backend(run: Run, program: Path, tmp_path: Path):
    still = json.loads(run("run", program, "--set", "rate=0", "--json").out)
    history = still["history"]
    assert history[0]["holdout_loss"] == history[1]["holdout_loss"]
    out = tmp_path / "o.npz"
    both: list[np.ndarray] = []
    for backend in ("numpy", "loops"):
        arguments = ("run", program, "--backend", backend, "--dtype", "float64", "--out", out)
        assert run(*arguments).code == 0
        with np.load(out) as values:
            both.append(values["W"])
            assert values["W"].dtype == np.float64
    assert np.allclose(*both, rtol=1e-12)
    assert "error[E0804]: there is no backend `jax`" in run("run", program, "--backend", "jax").err
    assert "error[E0210]" in run("run", program, "--set", "rat=1").err


def test_data_is_bound_by_name(run: Run, program: Path, tmp_path: Path):
    x = tmp_path / "x.npy"
    np.save(x, np.zeros((12, 3)))
    W = tmp_path / "W.npz"
    np.savez(W, W=np.zeros((2, 3)), first=np.ones((2, 3)), x=np.ones((12, 3)))
    quiet = ("--no-train", "--json", "--out", tmp_path / "o.npz")

    def values(*data: object) -> dict[str, np.ndarray]:
        flags = [flag for item in data for flag in ("--data", item)]
        code, _, err = run("run", program, *quiet, *flags)
        assert (code, err) == (0, "")
        with np.load(tmp_path / "o.npz") as found:
            return dict(found)

    assert not values(f"x={x}")["x"].any()
    whole = values(W)
    assert whole["x"].all()
    assert not whole["W"].any()
    assert values(W, f"x={x}", f"W={W}:first")["W"].all()


def test_what_data_refuses(run: Run, program: Path, tmp_path: Path):
    x = tmp_path / "x.npy"
    np.save(x, np.zeros((12, 3)))
    assert run("run", program, "--data", x).err == (
        f"error[E0806]: `{x}` holds one array without a name\n"
        f"  help: say which tensor it is: `--data NAME={x}`\n"
    )
    assert "E0614" in run("run", program, "--data", f"y={x}").err
    assert "error[E0611]" in run("run", program, "--data", f"x={x}:k").err
    assert run("run", program, "--data", "x=").code == 2
    assert run("run", program, "--data", "none.npz").code == 1


def test_missing_data_is_not_made_up(run: Run, tmp_path: Path):
    path = tmp_path / "m.ein"
    path.write_text("batch b\ninput x[b]\ny += x[b]\n")
    code, out, err = run("run", path)
    assert (code, out) == (1, "")
    assert err.startswith("error[E0613]: input `x` is not bound")
    assert "help: give it: `--data x=FILE`, or `x=…` from Python" in err


def test_warnings_do_not_stop_it(run: Run, tmp_path: Path):
    path = tmp_path / "w.ein"
    path.write_text("input x[i] = [1, 2]\ny += x[i] - 1\n")
    code, out, err = run("run", path)
    assert code == 0
    assert err.startswith("warning[W0401]")
    assert out.endswith("y = 1.0\n")


def test_a_loss_that_is_no_number_is_reported(run: Run, tmp_path: Path):
    path = tmp_path / "n.ein"
    path.write_text("param c = -1\nL = log(c)\nminimize L\ntrain sgd(lr=1), epochs=3\n")
    code, out, err = run("run", path, "--no-check-finite")
    assert code == 0
    assert err == "warning[W0801]: the loss is NaN; a smaller step may help\n"
    assert "loss nan" in out
    assert json.loads(run("run", path, "--json", "--no-check-finite").out)["loss"] is None
    code, out, err = run("run", path)
    assert (code, out) == (1, "")
    assert err.startswith("error[E0820]: update 1 makes `L` NaN\n")


def test_training_that_cannot_be(run: Run, tmp_path: Path):
    path = tmp_path / "t.ein"
    path.write_text("param c = -1\nL = c^2\nminimize L\n")
    assert "error[E0802]: nothing updates the params" in run("run", path, "--epochs", 2).err


def test_a_refusal_for_size_is_3(run: Run, tmp_path: Path):
    path = tmp_path / "t.ein"
    path.write_text("index i < 10^12\nparam W[i] = 0\ny += W[i]\n")
    code, _, err = run("run", path)
    assert code == 3
    assert err.startswith("error[E0701]: tensor `W` needs 4000000000000 bytes")
    assert run("check", path).code == 1
    path.write_text("y = " + "(" * 300 + "1" + ")" * 300 + "\n")
    assert run("run", path).code == 3


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("run",),
        ("walk", "x.ein"),
        ("run", "x.ein", "--epochs", "-1"),
        ("run", "x.ein", "--batch", "0"),
        ("run", "x.ein", "--batch", "many"),
        ("run", "x.ein", "--set", "J"),
        ("run", "x.ein", "--set", "J=many"),
        ("run", "x.ein", "--set", "J=inf"),
        ("run", "x.ein", "--backend", "cupy"),
        ("run", "x.ein", "--dtype", "float16"),
        ("export", "x.ein"),
    ],
)
def test_a_wrong_command_line_is_2(run: Run, arguments: tuple[str, ...]):
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("usage: einbatch")


def test_a_missing_file_is_1(run: Run):
    code, _, err = run("run", "none.ein")
    assert code == 1
    assert err.startswith("error[E0104]: `none.ein` cannot be read")


@pytest.mark.parametrize("option", ["checkpoint", "resume", "log", "tensorboard"])
def test_what_is_written_in_training_needs_training(run: Run, program: Path, option: str):
    code, out, err = run("run", program, "--no-train", f"--{option}", program.parent / "there")
    assert (code, out) == (2, "")
    assert err == f"einbatch run: --{option}: the program is evaluated, not trained\n"
    assert not (program.parent / "there").exists()


def test_a_resumed_run_ends_as_one_that_was_not_stopped(run: Run, program: Path):
    folder = program.parent
    whole, parts = folder / "whole.safetensors", folder / "parts.safetensors"
    run("run", program, "--epochs", 4, "--save", whole)
    run("run", program, "--epochs", 2, "--checkpoint", folder / "r", "--checkpoint-every", 1)
    code, out, err = run(
        *("run", program, "--epochs", 4, "--resume", folder / "r"),
        *("--deterministic", "--check-finite", "--log", folder / "l.jsonl", "--save", parts),
    )
    assert code == 0
    assert err == (
        f"resuming from `{folder}/r/checkpoints/step-00000006`: step 6, epochs done: 2\n"
    )
    assert out.startswith("epoch 3/4  loss ")
    assert parts.read_bytes() == whole.read_bytes()
    record = json.loads((folder / "r" / "run.json").read_text("utf-8"))
    assert record["data"] == {"x": "data.npz", "t": "data.npz"}
    assert record["options"]["deterministic"] is True
