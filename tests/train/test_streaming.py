"""Examples from files that stay where they are: the same training, without the data in memory.

`EINBATCH_MAPPED=4GiB pytest tests/train/test_streaming.py` is the long form of the last test.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import einbatch as eb
from einbatch.diagnostics import EinbatchError
from einbatch.plan.allowance import parse_size

N = 300
MODEL = """batch b < B
index i < 6, j < 5, k < 3
input x[b,i]{x}
input t[b] in k{t}
input w[i] = [1, 2, 3, 4, 5, 6]
param W[j,i] ~ normal(0, 0.3)
param V[k,j] ~ normal(0, 0.3)
for b,j,i: h[b,j] += W[j,i]*x[b,i]*w[i]
for b,j,k: s[b,k] += V[k,j]*relu(h[b,j])
for b: loss[b] = logsumexp[k](s[b,k]) - s[b,t[b]]
minimize loss
report accuracy = mean[b]([argmax[k](s[b,k]) = t[b]])
train sgd(lr=0.1, momentum=0.9), batch=32, epochs=3, holdout=0.2, seed=3
"""


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray]:
    numbers = np.random.default_rng(0)
    x = numbers.integers(0, 255, (N, 6)).astype("u1")
    return x, (x[:, 0] % 3).astype("u1")


@pytest.fixture
def streaming(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even the smallest array stays in its file."""
    monkeypatch.setattr("einbatch.model.sources.KEPT_IN_FILE", 0)
    monkeypatch.setattr("einbatch.model.examples.KEPT_IN_FILE", 0)


def check_same(result, other) -> None:
    assert result.history == other.history
    assert result.params.keys() == other.params.keys()
    for name, array in result.params.items():
        assert array.tobytes() == other.params[name].tobytes()


def write_npy(folder: Path, x: np.ndarray, t: np.ndarray) -> tuple[str, str]:
    np.save(folder / "x.npy", x)
    np.save(folder / "t.npy", np.array(t, order="F"))
    return "x.npy", "t.npy"


def write_npz(folder: Path, x: np.ndarray, t: np.ndarray) -> tuple[str, str]:
    np.savez(folder / "f.npz", x=np.asfortranarray(x), t=t.astype(">i4"))
    return "f.npz", "f.npz"


def write_idx(folder: Path, x: np.ndarray, t: np.ndarray) -> tuple[str, str]:
    for name, array in (("x-ubyte", x), ("t-ubyte", t)):
        head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
        (folder / name).write_bytes(head + array.tobytes())
    return "x-ubyte", "t-ubyte"


def write_parquet(folder: Path, x: np.ndarray, t: np.ndarray) -> tuple[str, str]:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {f"x{i}": x[:, i] for i in range(6)}
    table = pa.table({**columns, "t": np.array(["no", "or", "yes"])[t]})
    parquet.write_table(table, folder / "f.parquet", row_group_size=70)
    return "f.parquet:" + ",".join(columns), "f.parquet:t"


WRITERS = (write_npy, write_npz, write_idx, write_parquet)


@pytest.mark.parametrize("write", WRITERS)
def test_the_same_to_the_bit(write: Callable, data, tmp_path: Path, streaming) -> None:
    x, t = data
    wanted = eb.parse(MODEL.format(x="", t="")).fit(x=x, t=t)
    sources = [f' from "{name}"' for name in write(tmp_path, x, t)]
    model = eb.parse(MODEL.format(x=sources[0], t=sources[1]), folder=tmp_path)
    check_same(model.fit(), wanted)
    assert isinstance(model.load_input(model.program.tensor("x")), eb.data.Stored)
    assert model.classes == ({"k": ("no", "or", "yes")} if write is write_parquet else {})
    given = eb.parse(MODEL.format(x="", t="")).forward(wanted.params, x=x, t=t)
    assert np.array_equal(model.forward(wanted.params)["s"], given["s"])


@pytest.mark.parametrize("mode", ["r", "r+", "c"])
def test_a_mapped_array_of_the_callers(mode: str, data, tmp_path: Path, streaming) -> None:
    x, t = data
    wanted = eb.parse(MODEL.format(x="", t="")).fit(x=x, t=t)
    write_npy(tmp_path, x, t)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode=mode) for name in ("x", "t")}
    check_same(eb.parse(MODEL.format(x="", t="")).fit(mapped), wanted)
    assert np.array_equal(mapped["x"], x)


def test_examples_on_another_axis(data, tmp_path: Path, streaming) -> None:
    x, t = data
    text = MODEL.replace("x[b,i]", "x[i,b]")
    wanted = eb.parse(text.format(x="", t="")).fit(x=x.T, t=t)
    write_npy(tmp_path, x.T, t)
    model = eb.parse(text.format(x=' from "x.npy"', t=' from "t.npy"'), folder=tmp_path)
    check_same(model.fit(), wanted)


def test_what_carries_no_batch_index_is_read_whole(tmp_path: Path, streaming) -> None:
    np.save(tmp_path / "w.npy", np.arange(3.0))
    np.save(tmp_path / "x.npy", np.arange(12.0).reshape(4, 3))
    text = (
        'batch b < B\ninput x[b,i] from "x.npy"\ninput w[i] from "w.npy"\nparam a = 1\n'
        "for b: loss[b] = (a*sum[i](w[i]*x[b,i]) - 1)^2\nminimize loss\ntrain sgd(lr=0.001)\n"
    )
    result = eb.parse(text, folder=tmp_path).fit()
    arrays = {"x": np.arange(12.0).reshape(4, 3), "w": np.arange(3.0)}
    check_same(result, eb.parse(text).fit(arrays))


@pytest.mark.parametrize(
    ("dtype", "value", "message"),
    [
        ("i8", 3, "error[E0618]: `t[211]` is 3, outside 0 … 2\n"),
        ("i1", -1, "error[E0618]: `t[211]` is -1, outside 0 … 2\n"),
        ("f4", 0.5, "error[E0617]: `t[211]` is 0.5, and an integer is needed\n"),
        ("f8", np.nan, "error[E0617]: `t[211]` is nan, and an integer is needed\n"),
    ],
)
def test_an_element_that_is_no_class(
    dtype: str, value: float, message: str, data, tmp_path: Path, streaming
) -> None:
    x, t = data[0], data[1].astype(dtype)
    t[211] = value
    write_npy(tmp_path, x, t)
    model = eb.parse(MODEL.format(x=' from "x.npy"', t=' from "t.npy"'), folder=tmp_path)
    with pytest.raises(EinbatchError) as caught:
        model.fit()
    assert str(caught.value).startswith(message)


def test_extents_that_disagree_are_found_before_anything_is_read(
    data, tmp_path: Path, streaming
) -> None:
    x, t = data
    write_npy(tmp_path, x, t[:-1])
    model = eb.parse(MODEL.format(x=' from "x.npy"', t=' from "t.npy"'), folder=tmp_path)
    with pytest.raises(EinbatchError, match="axis 0 of `t` has 299 elements, and 300 are needed"):
        model.fit()
    with pytest.raises(EinbatchError, match="input `t` is not bound"):
        eb.parse(MODEL.format(x=' from "x.npy"', t=""), folder=tmp_path).fit()


def test_memory_is_that_of_a_minibatch(data, tmp_path: Path, monkeypatch) -> None:
    """All of `h` would be beyond the allowance; no more than a minibatch of it is made."""
    x, t = data
    monkeypatch.setenv("EINBATCH_MEMORY", "100kB")
    wide = MODEL.replace("j < 5", "j < 200").replace("epochs=3", "epochs=1")
    assert len(eb.parse(wide.format(x="", t="")).fit(x=x, t=t, holdout=0).history) == 1
    with pytest.raises(EinbatchError, match="tensor `h` needs 240000 bytes"):
        eb.parse(wide.format(x="", t="")).forward(
            {"W": np.zeros((200, 6)), "V": np.zeros((3, 200))}, x=x, t=t
        )
    with pytest.raises(EinbatchError, match="E0701"):
        eb.parse(wide.format(x="", t="")).fit(x=x, t=t, batch=N)


BIG = """batch b < B
index i < 1024, j < 2
input x[b,i] from "x.npy"
param W[j,i] ~ normal(0, 0.05)
for b,j,i: h[b,j] += W[j,i]*x[b,i]
for b: loss[b] = sum[j]((h[b,j] - 1)^2)
minimize loss
train sgd(lr=0.1), batch=256, epochs=1, holdout=0.01
"""
MOST = 500 << 20
SCRIPT = """
import sys
from einbatch.cli.main import main
code = main(["run", sys.argv[1]])
print(open("/proc/self/status").read().split("VmHWM:")[1].split()[0])
sys.exit(code)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells")
def test_the_highest_memory_of_a_run(tmp_path: Path) -> None:
    """All of a file that is one large hole is trained on.

    `VmHWM` is the most that was ever resident: memory of its own and pages of files,
    which are given back. Nothing else bounds all of what the training holds.
    """
    size = parse_size(os.environ.get("EINBATCH_MAPPED", "320MiB"))
    with open(tmp_path / "x.npy", "wb") as file:
        shape = (size // 4096, 1024)
        header = {"descr": "<f4", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        file.truncate(file.tell() + size)
    (tmp_path / "big.ein").write_text(BIG)
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "big.ein")]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    highest = 1024 * int(done.stdout.splitlines()[-1])
    assert highest < min(MOST, size)
