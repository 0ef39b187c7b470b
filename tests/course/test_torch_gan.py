"""Two adversaries, each with an optimizer of its own, step by step beside PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import einbatch as eb
from tests.course.running import COURSE

torch = pytest.importorskip("torch")
D, G = ("Wd", "vd"), ("Wg", "Vg")
Arrays = dict[str, np.ndarray]


def losses(p: dict[str, torch.Tensor], x: torch.Tensor, noise: torch.Tensor, *, detach: bool):
    """Both losses, each per example; with `detach`, the first does not reach the generator."""

    def judged(picture: torch.Tensor) -> torch.Tensor:
        return torch.tanh(picture @ p["Wd"].T) @ p["vd"]

    fake = torch.tanh(noise @ p["Wg"].T) @ p["Vg"].T
    cost = torch.nn.functional.binary_cross_entropy_with_logits
    one, zero = torch.ones(len(x)).double(), torch.zeros(len(x)).double()
    real, found = judged(x), judged(fake.detach() if detach else fake)
    lossD = cost(real, one, reduction="none") + cost(found, zero, reduction="none")
    return lossD, cost(judged(fake), one, reduction="none")


def random_case(model: eb.Model, batch: int, draws: np.random.Generator) -> tuple[Arrays, Arrays]:
    params = {key: draws.normal(size=array.shape) for key, array in model.init().items()}
    return params, {key: draws.normal(size=(batch, 2)) for key in ("x", "noise")}


@pytest.mark.parametrize("backend", ["loops", "numpy"])
def test_gradients_equal_torch(backend: str):
    draws = np.random.default_rng(3)
    model = eb.load(COURSE / "gan.ein", dtype="float64", backend=backend)
    params, data = random_case(model, 4, draws)
    peers = {key: torch.tensor(array, requires_grad=True) for key, array in params.items()}
    pair = losses(peers, **{k: torch.tensor(v) for k, v in data.items()}, detach=True)
    loss, grads = model.value_and_grad(params, data)
    assert grads.keys() == params.keys()
    assert loss == pytest.approx(pair[0].mean().item(), abs=1e-12)
    for value, names in zip(pair, (D, G), strict=True):
        found = torch.autograd.grad(value.mean(), [peers[key] for key in names], retain_graph=True)
        for key, gradient in zip(names, found, strict=True):
            np.testing.assert_allclose(grads[key], gradient.numpy(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("backend", ["loops", "numpy"])
def test_steps_equal_two_optimizers(backend: str):
    """The generator's gradient is that of the discriminator after its step."""
    draws = np.random.default_rng(4)
    text = (COURSE / "gan.ein").read_text("utf-8")
    text = text.replace("noise[b,k] ~ normal(0, 1)", "input noise[b,k]")  # the same for both
    model = eb.parse(text, dtype="float64", backend=backend)
    params, _ = random_case(model, 4, draws)
    trainer = model.trainer(params)
    peers = {key: torch.tensor(array, requires_grad=True) for key, array in params.items()}
    optimizers = [torch.optim.Adam([peers[key] for key in names], lr=0.05) for names in (D, G)]
    state, stepped = None, params
    for batch in (4, 3, 4, 5):
        _, data = random_case(model, batch, draws)
        tensors = {key: torch.tensor(array) for key, array in data.items()}
        before = losses(peers, **tensors, detach=True)[0].mean().item()
        for number, optimizer in enumerate(optimizers):
            optimizer.zero_grad()
            losses(peers, **tensors, detach=number == 0)[number].mean().backward()
            optimizer.step()
        stepped, state = model.step(stepped, state, data)
        assert trainer.step(data) == pytest.approx(before, abs=1e-10)
        for key, peer in peers.items():
            for found in (stepped[key], trainer.params[key]):
                np.testing.assert_allclose(found, peer.detach().numpy(), rtol=0, atol=1e-8)
