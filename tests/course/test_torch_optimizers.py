"""Optimizers written as update statements, step by step beside PyTorch's."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import einbatch as eb
from tests.course.running import COURSE

torch = pytest.importorskip("torch")

Make = Callable[[list["torch.Tensor"]], "torch.optim.Optimizer"]
OPTIMIZERS: dict[str, Make] = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.2),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.02, alpha=0.9, eps=1e-8),
    "adam": lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.9, 0.999), eps=1e-8),
    "clipping": lambda p: torch.optim.SGD(p, lr=0.2),
}


@pytest.mark.parametrize("backend", ["loops", "numpy"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_steps_equal_torch(name: str, backend: str):
    draws = np.random.default_rng(2)
    model = eb.load(COURSE / f"{name}.ein", dtype="float64", backend=backend)
    params = {key: draws.normal(size=array.shape) for key, array in model.init().items()}
    peers = {key: torch.tensor(array, requires_grad=True) for key, array in params.items()}
    optimizer, state = OPTIMIZERS[name](list(peers.values())), None
    lengths = []
    for batch in (4, 4, 3, 5, 4, 4):
        x, t = 2 * draws.normal(size=(batch, 2)), draws.normal(size=batch)
        params, state = model.step(params, state, x=x, t=t)
        optimizer.zero_grad()
        y = torch.tensor(x) @ peers["w"] + peers.get("a", 0)
        torch.nn.functional.mse_loss(y, torch.tensor(t)).backward()
        if name == "clipping":
            lengths.append(torch.nn.utils.clip_grad_norm_(peers.values(), 0.5).item())
        optimizer.step()
        for key, peer in peers.items():
            np.testing.assert_allclose(params[key], peer.detach().numpy(), rtol=0, atol=1e-10)
    assert name != "clipping" or max(lengths) > 0.5
