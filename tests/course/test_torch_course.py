"""Every model of the course beside PyTorch: its values, its loss and all its gradients.

The peers in `layers`, `sequences` and `generative` are written with PyTorch's own
functions wherever it has them. What is random is drawn here, and handed to both.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.course.running import COURSE, Arrays, Lesson

torch = pytest.importorskip("torch")

from tests.course import generative, layers, sequences  # noqa: E402 - they need torch

PEERS = {**layers.PEERS, **sequences.PEERS, **generative.PEERS}
OPTIMIZERS = {"sgd", "momentum", "rmsprop", "adam", "clipping"}
LESSONS = {name: Lesson(name) for name in PEERS}


def beside_torch(name: str, arrays: Arrays) -> tuple[Arrays, Arrays]:
    """Named values (the mean loss as `loss`), and the derivative of the loss to each number."""
    tensors = {key: torch.tensor(array) for key, array in arrays.items()}
    numbers = [key for key, tensor in tensors.items() if tensor.is_floating_point()]
    for key in numbers:
        tensors[key].requires_grad_()
    values = PEERS[name].function(**tensors)
    loss = values["loss"].mean()
    found = torch.autograd.grad(loss, [tensors[key] for key in numbers], materialize_grads=True)
    gradients = {key: item.numpy() for key, item in zip(numbers, found, strict=True)}
    return {key: value.detach().numpy() for key, value in values.items()}, gradients


def assert_equal(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    assert found.shape == expected.shape, what
    scale = 1 + np.max(np.abs(expected))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * scale, err_msg=what)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("backend", ["loops", "numpy"])
def test_values_and_gradients_equal_torch(name: str, backend: str):
    lesson, draws = LESSONS[name], np.random.default_rng(5)
    for batch in (3, 2):
        arrays = {**lesson.arrays(batch, draws), **PEERS[name].inputs(batch, draws)}
        values, gradients = beside_torch(name, arrays)
        params = [tensor.name for tensor in lesson.program.of_kind("param")]
        asked = (*params, *lesson.numbers)
        found = lesson.run(arrays, (*values, *(f"{key}.grad" for key in asked)), backend)
        for key, value in values.items():
            assert_equal(found[key], value, key)
        for key in asked:
            share = batch if is_batched(lesson, key) else 1
            assert_equal(found[f"{key}.grad"], share * gradients[key], f"{key}.grad")


def is_batched(lesson: Lesson, name: str) -> bool:
    return lesson.program.batch in lesson.program.tensor(name).axes


def test_every_lesson_has_a_peer():
    others = OPTIMIZERS | {"gan"}  # several steps of each beside PyTorch's, in files of their own
    assert {path.stem for path in COURSE.glob("*.ein")} == PEERS.keys() | others
