"""Models of a course, their losses and gradients beside PyTorch's.

Each model is a file in `torch_models/`; its peer here is written with PyTorch's own
layers and losses wherever it has them, so that the two share nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import einbatch as eb

torch = pytest.importorskip("torch")
F = torch.nn.functional

MODELS = Path(__file__).parent / "torch_models"
Shapes = dict[str, tuple[int, ...]]
Peer = Callable[..., "torch.Tensor"]
PEERS: dict[str, tuple[Peer, Shapes, dict[str, tuple[int, ...]]]] = {}


def peer(integers: Shapes | None = None, **numbers: tuple[int, ...]) -> Callable[[Peer], Peer]:
    """Enters a model: shapes of its inputs without the batch axis, integers as (below, *shape)."""

    def enter(function: Peer) -> Peer:
        PEERS[function.__name__] = function, numbers, integers or {}
        return function

    return enter


@peer(x=(5,), integers={"label": (4,)})
def perceptron(x, label, U, C, V, D):
    h = F.relu(F.linear(x, U, -C))
    return F.cross_entropy(F.linear(h, V, -D), label)


@peer(x=(5,), integers={"label": (4,)})
def lecture(x, label, W0, b0, W1, b1):
    h = torch.sigmoid(x @ W0.T - b0)
    s = torch.sigmoid(h @ W1.T - b1)
    return F.cross_entropy(s, label)


@peer(x=(4,), t=())
def ridge(x, t, w, c):
    return F.mse_loss(x @ w + c, t) + 0.03 * torch.linalg.vector_norm(w) ** 2


@peer(x=(4,), integers={"label": (3,)})
def batch_norm(x, label, U, γ, β, V):
    n = F.batch_norm(x @ U.T, None, None, weight=γ, bias=β, training=True, eps=1e-5)
    return F.cross_entropy(torch.tanh(n) @ V.T, label)


@peer(x=(5,))
def autoencoder(x, W, C, D):
    h = torch.tanh(F.linear(x, W, C))
    return F.mse_loss(F.linear(h, W.T, D), x)


@peer(integers={"centre": (6,), "context": (6,), "noise": (6, 4), "word": (6, 5)})
def word2vec(centre, context, noise, word, E, F, rarity):
    embed, log_sigmoid = torch.nn.functional.embedding, torch.nn.functional.logsigmoid
    e, f = embed(centre, E), embed(context, F)
    near = torch.linalg.vecdot(e, f)
    far = torch.einsum("bd,bnd->bn", e, embed(noise, F))
    gist = torch.einsum("bt,btd->bd", rarity[word], embed(word, E))
    loss = -log_sigmoid(near) - log_sigmoid(-far).sum(1)
    return (loss + ((gist - f) ** 2).sum(1)).mean()


@peer(x=(4, 5), integers={"label": (2,)})
def attention(x, label, Wq, Wk, Wv, γ, β, V):
    y = x + F.scaled_dot_product_attention(x @ Wq.T, x @ Wk.T, x @ Wv.T)
    z = F.layer_norm(y, (5,), weight=γ, bias=β, eps=1e-5)
    return F.cross_entropy(z.mean(1) @ V.T, label)


@peer(x=(4,), integers={"t": (2,)})
def binary(x, t, w, d):
    return F.binary_cross_entropy_with_logits(x @ w - d, t.double())


@peer(x=(3,))
def mixture(x, a, μ, ρ):
    parts = torch.distributions.Independent(torch.distributions.Normal(μ, torch.exp(ρ)), 1)
    weights = torch.distributions.Categorical(logits=a)
    return -torch.distributions.MixtureSameFamily(weights, parts).log_prob(x).mean()


@peer(x=(4,), y=(3,), t=(), integers={"place": (5, 3)})
def factors(place, x, y, t, A, M):
    product = torch.prod(torch.stack([A[m, place[:, m]] for m in range(3)]), 0)
    form = torch.clamp(F.bilinear(x, y, M.permute(2, 0, 1)), -1, 1)
    pooled = F.gelu(product + form).amax(1)
    return (F.softplus(pooled) - t * product.mean(1)).mean()


@peer(x=(5,))
def statements(x, U, V, scale):
    h = x @ U.T * scale / 5
    top = torch.einsum("fi,bi->bfi", V, x).flatten(1).max(1).values
    low = x.min(1).values
    volume = torch.prod(1 + h**2, 1)
    length = (U**2).sum(1) * scale
    branch = torch.where(h > 0, length * h, -h)
    return (top.abs() - low * volume + branch.sum(1)).mean()


def inputs_of(name: str, batch: int, draws: np.random.Generator) -> dict[str, np.ndarray]:
    _, numbers, integers = PEERS[name]
    found = {key: draws.normal(size=(batch, *shape)) for key, shape in numbers.items()}
    for key, (below, *shape) in integers.items():
        found[key] = draws.integers(0, below, size=(batch, *shape))
    return found


def params_of(model: eb.Model, draws: np.random.Generator) -> dict[str, np.ndarray]:
    """Its initial values, shaken, so that none is zero."""
    return {
        name: array + 0.5 * draws.normal(size=array.shape)
        for name, array in model.init(seed=0).items()
    }


def loss_and_grads(
    function: Peer, arrays: dict[str, np.ndarray]
) -> tuple[float, dict[str, np.ndarray]]:
    """What PyTorch makes of it: the loss, and its derivative to every array of numbers."""
    tensors = {name: torch.tensor(array) for name, array in arrays.items()}
    numbers = [name for name, tensor in tensors.items() if tensor.is_floating_point()]
    for name in numbers:
        tensors[name].requires_grad_()
    loss = function(**tensors)
    loss.backward()
    return loss.item(), {name: tensors[name].grad.numpy() for name in numbers}


def assert_equal(found: np.ndarray, expected: np.ndarray, what: str) -> None:
    scale = 1 + np.max(np.abs(expected))
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-10 * scale, err_msg=what)


@pytest.mark.parametrize("backend", ["numpy", "loops"])
@pytest.mark.parametrize("name", PEERS)
def test_losses_and_gradients_equal_torch(name: str, backend: str):
    """Also where the last minibatch of an epoch is a shorter one."""
    function, numbers, _ = PEERS[name]
    model = eb.load(MODELS / f"{name}.ein", dtype="float64", backend=backend)
    draws = np.random.default_rng(7)
    params = params_of(model, draws)
    for batch in (6, 6, 4):
        inputs = inputs_of(name, batch, draws)
        expected, gradients = loss_and_grads(function, {**params, **inputs})
        loss, found = model.value_and_grad(params, data=inputs, wrt=tuple(numbers))
        assert abs(loss - expected) <= 1e-10 * (1 + abs(expected))
        assert found.keys() == gradients.keys()
        for key, gradient in gradients.items():
            share = batch if key in numbers else 1
            assert_equal(found[key], share * gradient, f"{key}, {batch} examples")


def test_every_model_has_a_peer():
    assert {path.stem for path in MODELS.glob("*.ein")} == PEERS.keys()
    assert len(PEERS) >= 10


@pytest.mark.parametrize("size", [1.0, 30.0, 1000.0])
@pytest.mark.parametrize("name", ["perceptron", "binary"])
def test_large_logits_have_finite_right_gradients(name: str, size: float):
    """The logarithm of a probability that rounds to 0 is that of its logit."""
    function, _, _ = PEERS[name]
    model = eb.load(MODELS / f"{name}.ein", dtype="float64")
    draws = np.random.default_rng(3)
    inputs, params = inputs_of(name, 8, draws), params_of(model, draws)
    outer = "V" if name == "perceptron" else "w"
    params[outer] = size * np.sign(params[outer])
    expected, gradients = loss_and_grads(function, {**params, **inputs})
    loss, found = model.value_and_grad(params, data=inputs)
    assert np.isfinite(loss)
    assert abs(loss - expected) <= 1e-10 * (1 + abs(expected))
    for key, gradient in found.items():
        assert np.all(np.isfinite(gradient)), key
        assert_equal(gradient, gradients[key], key)


THOUSANDS = """
batch b
index k < 3
input s[b,k]
input label[b] in k
P[b,k] = softmax[k](s[b,k])
loss[b] = -log(P[b,label[b]])
minimize loss
"""


def test_logits_of_a_thousand():
    s = np.array([[1000.0, -1000, 0], [-1000, 1000, 1000], [-1000, -1000, -1000]])
    label = np.array([1, 1, 2])
    model = eb.parse(THOUSANDS, dtype="float64")
    loss, found = model.value_and_grad({}, s=s, label=label, wrt=("s",))
    one_by_one = model.forward({}, s=s, label=label, outputs=("loss",))["loss"]
    expected = F.cross_entropy(torch.tensor(s), torch.tensor(label), reduction="none").numpy()
    np.testing.assert_allclose(one_by_one, expected, rtol=1e-12)
    np.testing.assert_allclose(one_by_one, [2000, np.log(2), np.log(3)], rtol=1e-12)
    assert abs(loss - np.mean(expected)) <= 1e-10
    third = 1 / 3
    wanted = [[1, -1, 0], [0, -0.5, 0.5], [third, third, third - 1]]
    np.testing.assert_allclose(found["s"], wanted, atol=1e-12)


BY_HAND = {
    "a softmax": "E[b,k] = exp(s[b,k])\nZ[b] = sum[k](E[b,k])\nP[b,k] = E[b,k]/Z[b]\n"
    "loss[b] = sum[k](P[b,k]^2)",
    "its logarithm": "loss[b] = -log(exp(s[b,label[b]])/sum[k](exp(s[b,k])))",
    "a one-hot target": "P[b,k] = softmax[k](s[b,k])\n"
    "for b,k: loss[b] -= [k = label[b]]*log(P[b,k])",
    "an entropy": "P[b,k] = softmax[k](s[b,k])\nloss[b] = -sum[k](P[b,k]*log(P[b,k]))",
    "a sigmoid": "p[b,k] = 1/(1 + exp(-s[b,k]))\nfor b,k: loss[b] -= log(p[b,k]) + log(1 - p[b,k])",
    "its square": "p[b,k] = 1/(1 + exp(-s[b,k]))\nfor b,k: loss[b] += p[b,k]^2",
    "a softplus": "loss[b] = sum[k](log(1 + exp(s[b,k])))",
}
LIBRARY: dict[str, Peer] = {
    "a softmax": lambda s, label: (F.softmax(s, 1) ** 2).sum(1).mean(),
    "its logarithm": F.cross_entropy,
    "a one-hot target": F.cross_entropy,
    "an entropy": lambda s, label: torch.distributions.Categorical(logits=s).entropy().mean(),
    "a sigmoid": lambda s, label: -(F.logsigmoid(s) + F.logsigmoid(-s)).sum(1).mean(),
    "its square": lambda s, label: (torch.sigmoid(s) ** 2).sum(1).mean(),
    "a softplus": lambda s, label: -F.logsigmoid(-s).sum(1).mean(),
}


@pytest.mark.parametrize("form", BY_HAND)
def test_logits_of_a_thousand_by_hand(form: str):
    """Forms without a name are as stable as the library's functions."""
    s = np.array([[1000.0, -1000, 0], [-1000, 1000, 1000], [800, 900, 1000], [0, 0.5, 5]])
    label = np.array([1, 0, 2, 1])
    head = "batch b\nindex k < 3\ninput s[b,k]\ninput label[b] in k\n"
    model = eb.parse(f"{head}{BY_HAND[form]}\nminimize loss\n", dtype="float64")
    loss, found = model.value_and_grad({}, s=s, label=label, wrt=("s",))
    tensor = torch.tensor(s, requires_grad=True)
    expected = LIBRARY[form](tensor, torch.tensor(label))
    expected.backward()
    assert abs(loss - expected.item()) <= 1e-10 * (1 + abs(expected.item()))
    assert_equal(found["s"], 4 * tensor.grad.numpy(), form)


def test_without_reading_what_is_not_asked_for():
    """Inference needs no labels."""
    model = eb.load(MODELS / "perceptron.ein", dtype="float64")
    draws = np.random.default_rng(1)
    params, x = params_of(model, draws), draws.normal(size=(3, 5))
    found = model.forward(params, x=x, outputs=("P",))["P"]
    t = {name: torch.tensor(array) for name, array in params.items()}
    h = F.relu(F.linear(torch.tensor(x), t["U"], -t["C"]))
    expected = F.softmax(F.linear(h, t["V"], -t["D"]), 1)
    assert_equal(found, expected.numpy(), "P")
