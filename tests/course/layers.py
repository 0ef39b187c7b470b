"""Peers of the models without a sequence: perceptron, convolutions, norms, dropout."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from tests.course.peers import Peer, Values, enter

PEERS: dict[str, Peer] = {}


@enter(PEERS)
def mlp(x, t, W0, b0, W1, b1) -> Values:
    h = torch.tanh(F.linear(x, W0, b0))
    s = F.linear(h, W1, b1)
    return {"h": h, "P": F.softmax(s, 1), "loss": F.cross_entropy(s, t, reduction="none")}


@enter(PEERS)
def deep(x, t, W, β, V) -> Values:
    h, layers = x, []
    for weights in zip(W, β, strict=True):
        h = torch.tanh(F.linear(h, *weights))
        layers.append(h)
    loss = F.cross_entropy(h @ V.T, t, reduction="none")
    return {"h": torch.stack(layers), "loss": loss}


@enter(PEERS)
def cnn(image, label, K0, b0, K1, b1, W, b2) -> Values:
    h = F.relu(F.conv2d(image[:, None] / 16, K0[:, None], b0, padding=1))
    pool = F.max_pool2d(h, 2)
    g = F.relu(F.conv2d(pool, K1, b1, stride=2, padding=1))
    score = F.linear(g.flatten(1), W.flatten(1), b2)
    loss = F.cross_entropy(score, label, reduction="none")
    return {"h0": h, "pool": pool, "h1": g, "score": score, "loss": loss}


@enter(PEERS)
def resnet(image, label, K, L, M, N, S, V) -> Values:
    h, stages = image, []
    for one, two in zip(K, L, strict=True):
        h = F.relu(h + F.conv2d(F.relu(F.conv2d(h, one, padding=1)), two, padding=1))
        stages.append(h)
    m = F.conv2d(h, M, stride=2, padding=1)
    q = F.conv2d(h, S[:, :, None, None], stride=2) + F.conv2d(F.relu(m), N, padding=1)
    pooled = F.adaptive_avg_pool2d(F.relu(q), 1).flatten(1)
    loss = F.cross_entropy(pooled @ V.T, label, reduction="none")
    return {"h": torch.stack(stages), "q": q, "pooled": pooled, "loss": loss}


@enter(PEERS)
def layer_norm(x, t, γ, β, W) -> Values:
    y = F.layer_norm(x, (3,), weight=γ, bias=β, eps=1e-5)
    return {"y": y, "loss": F.cross_entropy(torch.tanh(y) @ W.T, t, reduction="none")}


def learned(batch, draws):
    """Batches of three are for training, others are not."""
    return {"training": np.array(float(batch == 3)), "V": draws.uniform(1, 2, 2)}


@enter(PEERS, learned)
def batch_norm(x, t, γ, β, w, M, V, training) -> Values:
    n = F.batch_norm(x, M.detach(), V.detach(), training=bool(training), eps=1e-5)
    y = torch.tanh(γ * n + β) @ w
    return {"n": n, "y": y, "loss": F.mse_loss(y, t, reduction="none")}


@enter(PEERS)
def spatial_batch_norm(image, t, K, γ, β) -> Values:
    z = F.conv2d(image, K)
    y = F.batch_norm(z, None, None, weight=γ, bias=β, training=True, eps=1e-5)
    s = F.relu(y).mean((1, 2, 3))
    return {"z": z, "s": s, "loss": F.mse_loss(s, t, reduction="none")}


def masked(batch, draws):
    mask = draws.integers(0, 2, (batch, 3)).astype(float)
    return {"training": np.array(float(batch == 3)), "mask": mask}


@enter(PEERS, masked)
def dropout(x, t, W, v, mask, training) -> Values:
    """PyTorch's own mask is another one; what it does with it is scale by 1/0.8."""
    h = F.relu(x @ W.T)
    y = (h * mask / 0.8 if training else F.dropout(h, 0.2, training=False)) @ v
    return {"y": y, "loss": F.mse_loss(y, t, reduction="none")}
