"""Names and axes of another program's parameters, on the way in and on the way out."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

import einbatch as eb
from einbatch.data import load_classes

W = np.arange(6.0).reshape(2, 3)
B = np.array([1.0, 2.0])
THEIRS = {"fc1.weight": W, "fc1.bias": B}


def written(path: Path, arrays: dict[str, np.ndarray] = THEIRS) -> Path:
    save_file(arrays, path / "m.safetensors")
    return path / "m.safetensors"


def refusal(call: object, *arguments: object, **keywords: object) -> str:
    with pytest.raises(eb.EinbatchError) as caught:
        call(*arguments, **keywords)  # type: ignore[operator]
    return str(caught.value)


def test_another_name(tmp_path: Path) -> None:
    path = written(tmp_path)
    for lines in ({"W0": "fc1.weight"}, {"W⁰": "fc1.weight"}, ["W0=fc1.weight"], "W0 = fc1.weight"):
        found = eb.load_params(path, map=lines)
        assert set(found) == {"W0", "fc1.bias"}
        np.testing.assert_array_equal(found["W0"], W)


def test_indices_name_axes(tmp_path: Path) -> None:
    cube = np.arange(24.0).reshape(2, 3, 4)
    path = written(tmp_path, {**THEIRS, "conv": cube})
    lines = ["W0[i,j]=fc1.weight[j,i]", "K[c, a, b] = conv[a,b,c]", "b0[j]=-fc1.bias[j]"]
    found = eb.load_params(path, map=lines)
    np.testing.assert_array_equal(found["W0"], W.T)
    np.testing.assert_array_equal(found["K"], np.einsum("abc->cab", cube))
    np.testing.assert_array_equal(found["b0"], -B)
    assert all(array.flags.c_contiguous for array in found.values())
    eb.save(found, tmp_path / "back.safetensors", map=lines)
    back = load_file(tmp_path / "back.safetensors")
    assert set(back) == {"conv", *THEIRS}
    for name, array in {**THEIRS, "conv": cube}.items():
        np.testing.assert_array_equal(back[name], array)


def test_two_params_may_come_from_one_tensor(tmp_path: Path) -> None:
    lines = ["E=fc1.weight", "D[i,j]=fc1.weight[j,i]"]
    found = eb.load_params(written(tmp_path), map=lines)
    np.testing.assert_array_equal(found["D"].T, found["E"])
    said = refusal(eb.save, found, tmp_path / "x.safetensors", map=lines)
    assert "`fc1.weight` is mapped twice" in said
    assert not (tmp_path / "x.safetensors").exists()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("W0", "it is not of the form OURS=THEIRS"),
        ("W0=", "it is not of the form OURS=THEIRS"),
        ("W0[j=fc1.weight[j]", "it is not of the form OURS=THEIRS"),
        ("W0=a=b", "it is not of the form OURS=THEIRS"),
        ("W0[j,i]=fc1.weight", "one side has indices, the other has none"),
        ("W0=fc1.weight[j,i]", "one side has indices, the other has none"),
        ("W0[j,i]=fc1.weight[j,k]", "both sides have the same indices, each once"),
        ("W0[j,j]=fc1.weight[j,j]", "both sides have the same indices, each once"),
        ("W0[j,]=fc1.weight[,j]", "both sides have the same indices, each once"),
        ("W0[i]=fc1.weight[i]", "`fc1.weight` has 2 axes"),
        (3, "it is no text, but of the type int"),
    ],
)
def test_what_no_mapping_is(tmp_path: Path, line: object, said: str) -> None:
    text = refusal(eb.load_params, written(tmp_path), map=[line])
    assert text.startswith(f"error[E0641]: the mapping `{line}` cannot be followed: {said}")
    assert "\n  help: write `W0=fc1.weight`, or " in text


def test_what_the_mapping_names_is_there(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert refusal(eb.load_params, path, map={"W0": "fc1.wieght"}) == (
        f"error[E0611]: `{path}` has no tensor `fc1.wieght`; it has `fc1.bias`, `fc1.weight`\n"
        "  help: did you mean `fc1.weight`?"
    )
    said = refusal(eb.save, {"W0": W}, tmp_path / "x.safetensors", map={"W1": "fc1.weight"})
    assert "what is to be saved has no tensor `W1`; it has `W0`" in said
    assert "is mapped twice" in refusal(eb.load_params, path, map=["a=fc1.weight", "a=fc1.bias"])
    assert "error[E0641]" in refusal(eb.load_params, path, map=3)
    truth = written(tmp_path, {"m": np.array([True])})
    assert "holds bool, which has no sign" in refusal(eb.load_params, truth, map={"m": "-m"})


def test_pickles_are_not_read(tmp_path: Path) -> None:
    """Neither a plain one, nor the archive that `torch.save` writes."""
    plain, archive = tmp_path / "m.pkl", tmp_path / "m.pt"
    plain.write_bytes(pickle.dumps({"W": 1}))
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({"W": 1}))
    for path in (plain, archive):
        assert refusal(eb.load_params, path) == (
            f"error[E0642]: `{path}` is a pickle, which runs code when it is read\n"
            "  help: in PyTorch, write its state dict anew: "
            '`safetensors.torch.save_file(model.state_dict(), "m.safetensors")`'
        )


def test_what_torch_saves_is_not_read(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    for name, new in (("new.pt", True), ("old.pt", False)):
        stream = io.BytesIO()
        torch.save({"W": torch.ones(2)}, stream, _use_new_zipfile_serialization=new)
        (tmp_path / name).write_bytes(stream.getvalue())
        assert "error[E0642]" in refusal(eb.load_params, tmp_path / name)


def test_a_model_of_torch_comes_in_and_goes_out(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file as load_torch
    from safetensors.torch import save_file as save_torch

    peer = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh(), torch.nn.Linear(4, 2))
    peer = peer.double()
    model = eb.parse("""
batch b < B
index i < 3, j < 4, k < 2
dtype float64
input x[b,i]
param W0[i,j] = 0
param C0[j] = 0
param W1[k,j] = 0
param c[k] = 0
h[b,j] = tanh(sum[i](W0[i,j]*x[b,i]) - C0[j])
y[b,k] = sum[j](W1[k,j]*h[b,j]) + c[k]
""")
    lines = ["W0[i,j]=0.weight[j,i]", "C0=-0.bias", "W1=2.weight", "c=2.bias"]
    save_torch(peer.state_dict(), tmp_path / "m.safetensors")
    params = eb.load_params(tmp_path / "m.safetensors", map=lines)
    x = np.random.default_rng(0).normal(size=(5, 3))
    expected = peer(torch.tensor(x)).detach().numpy()
    np.testing.assert_allclose(model.forward(params, x=x)["y"], expected, atol=1e-14)
    eb.save(params, tmp_path / "back.safetensors", map=lines)
    for name, tensor in load_torch(tmp_path / "back.safetensors").items():
        assert torch.equal(tensor, peer.state_dict()[name])


def test_names_of_classes_go_along(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    eb.save({"W": W}, path, classes={"k": ("cat", "größer")})
    assert load_classes(path) == {"k": ("cat", "größer")}
    assert set(eb.load_params(path)) == {"W"}
    eb.save({"W": W}, path)
    assert load_classes(path) == {}
    for text in ("[", "[1]", '{"k": [1]}', '{"k": 1}', "[" * 100_000):
        save_file({"W": W}, path, {"einbatch.classes": text})
        assert "its names of classes are not readable" in refusal(load_classes, path)
