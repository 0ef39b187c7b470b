"""Every file of `programs/` beside PyTorch: its values, its loss and all its gradients.

The peers in `first`, `layers`, `sequences`, `generative` and `puzzles` are written with
PyTorch's own functions wherever it has them. What is random is drawn here, and handed
to both.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.course.running import FILES, LESSONS, Arrays, weights

torch = pytest.importorskip("torch")

from tests.course import (  # noqa: E402 - they need torch
    first,
    generative,
    layers,
    puzzles,
    sequences,
)

COURSE = {**layers.PEERS, **sequences.PEERS, **generative.PEERS}
PEERS = {
    **first.PEERS,
    **{f"course/{name}": peer for name, peer in COURSE.items()},
    **{f"puzzles/{name}": peer for name, peer in puzzles.PEERS.items()},
}
OPTIMIZERS = {f"course/{name}" for name in ("sgd", "momentum", "rmsprop", "adam", "clipping")}
"""Held to PyTorch's own, step by step, in `test_torch_optimizers`."""
ADVERSARIES = {"course/gan"}
"""The same, in `test_torch_gan`."""
CLOSE = 1e-10


def beside_torch(name: str, arrays: Arrays) -> tuple[Arrays, Arrays]:
    """Named values (the mean loss as `loss`), and the derivative of the loss to each number."""
    tensors = {key: torch.tensor(array) for key, array in arrays.items()}
    numbers = [key for key, tensor in tensors.items() if tensor.is_floating_point()]
    for key in numbers:
        tensors[key].requires_grad_()
    values = PEERS[name].function(**tensors)
    if "loss" in values:
        loss = values["loss"].mean()
    else:  # the last one, weighted
        *_, last = values.values()
        loss = torch.sum(last * torch.tensor(weights(last.shape)))
    gradients = {key: np.zeros(arrays[key].shape) for key in numbers}
    if loss.requires_grad:
        found = torch.autograd.grad(loss, [tensors[key] for key in numbers], materialize_grads=True)
        gradients = {key: item.numpy() for key, item in zip(numbers, found, strict=True)}
    return {key: value.detach().numpy() for key, value in values.items()}, gradients


def assert_equal(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    assert found.shape == expected.shape, what
    scale = 1 + np.max(np.abs(expected), initial=0, where=np.isfinite(expected))
    np.testing.assert_allclose(found, expected, rtol=0, atol=CLOSE * scale, err_msg=what)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("backend", ["loops", "numpy"])
def test_values_and_gradients_equal_torch(name: str, backend: str):
    lesson, draws = LESSONS[name], np.random.default_rng(5)
    for batch in (3, 2) if lesson.program.batch else (1,):
        arrays = {**lesson.arrays(batch, draws), **PEERS[name].inputs(batch, draws)}
        values, gradients = beside_torch(name, arrays)
        params = [tensor.name for tensor in lesson.program.of_kind("param")]
        asked = (*params, *lesson.numbers)
        found = lesson.run(arrays, (*values, *(f"{key}.grad" for key in asked)), backend)
        for key, value in values.items():
            assert_equal(found[key], value, key)
        for key in asked:
            share = batch if lesson.is_batched(key) else 1
            assert_equal(found[f"{key}.grad"], share * gradients[key], f"{key}.grad")


@pytest.mark.parametrize("name", FILES)
def test_every_tensor_equals_the_loop_nest(name: str):
    """Forward and backward, what PyTorch has no name for too."""
    lesson, draws = LESSONS[name], np.random.default_rng(6)
    peer = PEERS.get(name)
    arrays = lesson.arrays(3, draws)
    if peer is not None:
        arrays |= peer.inputs(3, draws)
    expected = lesson.run(arrays, (), "loops")
    written = [tensor.name for tensor in lesson.derived.of_kind("value")]
    found = lesson.run(arrays, written, "numpy")
    assert found.keys() == set(written)
    for key in written:
        assert_equal(found[key], expected[key], key)


def test_every_file_has_a_peer():
    assert FILES.keys() == PEERS.keys() | OPTIMIZERS | ADVERSARIES
    assert len(FILES) >= 51
