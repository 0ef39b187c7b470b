"""The verbs that look at a program: grad, check, plan, fmt, export, explain."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import einbatch as eb

Run = Callable[..., Any]
WRONG = """\
batch b < B
index j < 3
input x[b,i]
param W[j,i] ~ normal(0, 1)
for b,j,i: h[b,j] += W[j,i]*x[b,i]
for b: L[b] = sum[j](h[b,j]^2)
minimize L
for b: L.grad[b] = 1
for b,j: h.grad[b,j] = 2*h[b,j]*L.grad[b]
for b,j,i: W.grad[j,i] += h.grad[b,j]*x[b,i]
"""


def test_grad_prints_the_derived_program(run: Run, program: Path):
    code, out, _ = run("grad", program)
    assert code == 0
    assert "for b,k: s.grad[b,k] += loss.grad[b]*(P[b,k] - [k = t[b]])\n" in out
    assert out == str(eb.load(program).backward)
    assert "minimize" not in out


def test_grad_with_respect_to_inputs(run: Run, program: Path):
    assert "x.grad[b,i]" in run("grad", program, "--wrt", "x").out
    code, _, err = run("grad", program, "--wrt", "t")
    assert code == 1
    assert err.startswith("error[E0503]")


def test_grad_before_simplification(run: Run, program: Path):
    raw = run("grad", program, "--raw").out
    assert "P.grad" in raw
    assert raw != run("grad", program).out


@pytest.mark.parametrize("optimizer", ["sgd(lr=0.1, momentum=0.9)", "adam()"])
def test_grad_with_updates_trains_the_same(run: Run, program: Path, tmp_path: Path, optimizer: str):
    program.write_text(program.read_text().replace("sgd(lr=rate)", optimizer))
    text = run("grad", program, "--update").out
    assert "W.grad" in text
    assert "minimize loss" in text
    assert "input step" not in text
    (tmp_path / "full.ein").write_text(text)
    assert run("run", tmp_path / "full.ein").out == run("run", program).out


def test_check_says_so_where_nothing_is_wrong(run: Run, program: Path):
    assert run("check", program) == (0, f"{program}: no errors\n", "")
    out = run("check", "-v", program).out
    assert "\nk < 2 " in out
    assert "input x: B × 3, float32\n" in out
    assert "input t: B, integers\n" in out


RANGES = """\
batch b < B
index i < 8, k < 3
let J = 4
index h̃ < 2*J
input x[b,t,i]
input K[k] = [1,
              2, 3]
input label[b] in i
input more[n,b] from "nowhere.npz"
param W[i,h̃] = 0
y[b,p] += K[k]*x[b,2*p+k,3]
z[b,q] = y[b,q+1]
for i: long[i] = W[i,0] + W[i,1] + W[i,2] + W[i,3] + W[i,4] + W[i,5]
for m: T[2*m+1] = K[m]
for g: u[g] = long[7-g]*W[2*g,0]
"""

TABLE = """\
index < extent              fixed at
b < B                       5:7       input x[b,t,i]
i < 8                       2:11      index i < 8, k < 3
k < 3                       2:18      index i < 8, k < 3
h̃ < 8                       4:12      index h̃ < 2*J
t < |t|                     5:7       input x[b,t,i]
n < |n|                     9:7       input more[n,b] from "nowhere.npz"
p < floor((|t| - 3)/2) + 1  11:20     y[b,p] += K[k]*x[b,2*p+k,3]
q < floor((|t| - 3)/2)      12:14     z[b,q] = y[b,q+1]
m < 3                       2:18      index i < 8, k < 3
g < 4                       15:27     for g: u[g] = long[7-g]*W[2*g,0]

"""


def test_check_says_what_each_index_runs_over_and_where_that_is_fixed(run: Run, tmp_path: Path):
    path = tmp_path / "ranges.ein"
    path.write_text(RANGES, "utf-8")
    out = run("check", "-v", path).out
    assert out.startswith(TABLE)


def test_check_shows_all_errors_and_warnings(run: Run, tmp_path: Path):
    path = tmp_path / "w.ein"
    path.write_text("index i < 2\ny[i] = q[i]\nz = r\n")
    code, out, err = run("check", path)
    assert (code, out) == (1, "")
    assert err.count("error[E0202]") == 2
    path.write_text("input x[i] = [1, 2]\ny += x[i] - 1\n")
    code, out, err = run("check", path)
    assert (code, out) == (0, f"{path}: 1 warning\n")
    assert err.startswith("warning[W0401]")


def test_check_derives_too(run: Run, tmp_path: Path):
    path = tmp_path / "w.ein"
    path.write_text("param c = 1\nL = c\nminimize L\ntrain sgd(lr=1, speed=2)\n")
    assert "error[E0412]: `sgd` has no setting `speed`" in run("check", path).err


def test_check_grads_names_the_wrong_statement(run: Run, tmp_path: Path):
    path = tmp_path / "w.ein"
    path.write_text(WRONG)
    code, out, err = run("check", "--grads", path)
    assert code == 1
    assert out.splitlines()[:3] == [
        "L.grad, written by hand: OK",
        "h.grad, written by hand: OK",
        "W.grad, written by hand: WRONG",
    ]
    assert err.startswith("error[E0809]: `W.grad[")
    assert " 10 | for b,j,i: W.grad[j,i] += h.grad[b,j]*x[b,i]\n" in err
    assert "^^^ this statement is wrong\n" in err
    assert err.endswith("help: divide by the batch extent: it is 3 times too large\n")


def test_check_grads_accepts_what_is_right(run: Run, tmp_path: Path):
    path = tmp_path / "r.ein"
    path.write_text(WRONG.replace("+= h.grad", "+= 1/B*h.grad"))
    code, out, err = run("check", "--grads", path)
    assert (code, err) == (0, "")
    assert "W.grad, written by hand: OK\n" in out
    assert "W.grad, derived: OK (dual numbers " in out
    assert "x.grad, derived: OK" in out


def test_check_grads_finds_the_wrong_one_of_two_contributions(run: Run, tmp_path: Path):
    path = tmp_path / "two.ein"
    path.write_text(
        "batch b < B\nindex i < 2\ninput x[b,i]\nparam W[i] = 1\n"
        "for b,i: y[b] += W[i]*x[b,i]\nfor b,i: z[b] += W[i]*x[b,i]^2\n"
        "for b: L[b] = y[b]*z[b]\nminimize L\n"
        "for b,i: W.grad[i] += 1/B*y.grad[b]*x[b,i]\n"
        "for b,i: W.grad[i] -= 1/B*z.grad[b]*x[b,i]^2\n"
    )
    err = run("check", "--grads", path).err
    assert err.count("-->") == 1
    assert " 10 | for b,i: W.grad[i] -= " in err


def test_check_grads_of_two_objectives(run: Run, tmp_path: Path):
    """A claim is about the nearest objective above; that of a param about the param's own."""
    path = tmp_path / "game.ein"
    path.write_text(
        "batch b < B\ninput x[b]\nparam w = 1\nparam g = 2\n"
        "y[b] = w*g*x[b]\nD[b] = y[b]^2\nG[b] = y[b]*w\n"
        "minimize D over w\n"
        "for b: y.grad[b] += 2*D.grad[b]*y[b]\n"
        "minimize G over g\n"
        "for b: y.grad[b] += 2*w*G.grad[b]\n"
        "for b: w.grad += 1/B*y.grad[b]*g*x[b]\n"
        "for b: g.grad += 1/B*y.grad[b]*w*x[b]\n"
    )
    code, out, err = run("check", "--grads", path)
    assert code == 1
    assert out.splitlines()[:4] == [
        "y.grad of D, written by hand: OK",
        "w.grad of D, written by hand: OK",
        "y.grad of G, written by hand: WRONG",
        "g.grad of G, written by hand: OK",
    ]
    assert out.count(", derived: OK") == 4
    assert err.count("error[") == 1
    assert " 11 | for b: y.grad[b] += 2*w*G.grad[b]\n" in err


def test_run_shows_the_mean_of_each_objective(run: Run, tmp_path: Path):
    path = tmp_path / "game.ein"
    path.write_text(
        "batch b < B\ninput x[b] = [1, 3]\nparam w = 1\nparam g = 2\n"
        "D[b] = w*x[b]\nG[b] = g*x[b]^2\nminimize D over w\nminimize G over g\n"
    )
    assert run("run", path).out.endswith("mean D = 2.0\nmean G = 10.0\n")
    found = json.loads(run("run", path, "--json").out)
    assert (found["loss"], found["reports"]) == (2, {"train": {"G": 10}, "holdout": {}})


def test_check_grads_with_nothing_to_check(run: Run, tmp_path: Path):
    path = tmp_path / "n.ein"
    path.write_text("x = 1\n")
    assert run("check", "--grads", path).out == "nothing to check: the program has no objective\n"
    path.write_text("batch b\ninput x[b]\nL[b] = log(x[b] - 5)\nminimize L\n")
    assert "error[E0807]: `L` is not finite on random data" in run("check", "--grads", path).err
    path.write_text("param c = 1\nL = c\nminimize L\nh.grad = 1\n")
    assert run("check", path).err.startswith("error[E0808]: there is no tensor `h` to have")


def test_a_derived_gradient_that_is_wrong(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    path = tmp_path / "r.ein"
    path.write_text("param c = 1\nL = c^2\nminimize L\n")
    monkeypatch.setattr("einbatch.model.checking.directional_derivative", lambda *_: 7.0)
    code, out, err = run("check", "--grads", path)
    assert code == 1
    assert out.startswith("c.grad, derived: WRONG")
    assert err.startswith("error[E0810]: along a random direction, `c.grad` gives ")


def test_memory_that_the_system_refuses(run: Run, program: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr("einbatch.cli.grad.differentiate", refuse)
    code, _, err = run("grad", program)
    assert code == 3
    assert err.startswith("error[E0811]: there is not enough memory for this\n")


def test_plan_describes_one_step(run: Run, program: Path):
    code, out, _ = run("plan", program)
    assert code == 0
    assert "for b,k,i: s[b,k] += W[k,i]*x[b,i]" in out
    source = run("plan", "--source", "--batch", 7, program).out
    assert "x: float32[7, 3]" in source
    compile(source, "emitted", "exec")


def test_plan_needs_the_extents(run: Run, tmp_path: Path):
    path = tmp_path / "p.ein"
    path.write_text("batch b\ninput x[b,i]\ny[b] = sum[i](x[b,i])\n")
    assert run("plan", path).err.startswith("error[E0613]")
    np.save(tmp_path / "x.npy", np.ones((5, 4)))
    source = run("plan", "--source", path, "--data", f"x={tmp_path}/x.npy").out
    assert "x: float32[5, 4]" in source
    source = run("plan", "--source", path, "--data", f"x={tmp_path}/x.npy", "--batch", 2).out
    assert "x: float32[2, 4]" in source


def test_export_writes_the_same_module(run: Run, program: Path, tmp_path: Path):
    printed = run("export", program, "--to", "numpy").out
    assert printed == run("plan", "--source", program).out
    assert run("export", program, "--to", "numpy", "-o", tmp_path / "m.py").out == ""
    assert (tmp_path / "m.py").read_text() == printed
    namespace: dict[str, Any] = {}
    exec(printed, namespace)
    W = np.zeros((2, 3), np.float32)
    step = namespace["bind"](W)
    step(np.ones((4, 3), np.float32), np.array([0, 0, 0, 1]))
    assert np.allclose(W, [[0.125] * 3, [-0.125] * 3])


def test_fmt_rewrites_in_place(run: Run, tmp_path: Path):
    path = tmp_path / "f.ein"
    path.write_text("\ufeffinput x[i]\r\ny   =  Σ_i x[i]   # a sum\r\n", newline="")
    assert run("fmt", "--check", path) == (1, f"{path} would change\n", "")
    assert run("fmt", path) == (0, "", "")
    assert path.read_bytes() == b"input x[i]\ny = sum[i](x[i])  # a sum\n"
    assert run("fmt", "--check", path) == (0, "", "")


def test_fmt_goes_on_after_a_wrong_file(run: Run, tmp_path: Path):
    (tmp_path / "a.ein").write_text("x = = 1\n")
    (tmp_path / "b.ein").write_text("x  =  1\n")
    code, _, err = run("fmt", tmp_path / "a.ein", tmp_path / "b.ein")
    assert code == 1
    assert err.startswith("error[E01")
    assert (tmp_path / "a.ein").read_text() == "x = = 1\n"
    assert (tmp_path / "b.ein").read_text() == "x = 1\n"


def test_explain(run: Run):
    assert run("explain", "e0203").out.startswith("# E0203: an index has two extents\n")
    code, out, err = run("explain", "E9999")
    assert (code, out) == (2, "")
    assert err.startswith("einbatch explain: there is no code 'E9999'")


def test_version(run: Run):
    assert run("--version").out.startswith("einbatch ")
    assert run("--help").code == 0
