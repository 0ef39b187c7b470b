"""Peers of the first programs: the perceptrons of `programs/`."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from tests.course.peers import Peer, Values, enter

PEERS: dict[str, Peer] = {}


@enter(PEERS)
def digits(image, label, W0, C0, W1, C1) -> Values:
    g = F.linear((image / 16).flatten(1), W0.flatten(1))
    h = F.relu(g - C0)
    s = F.linear(h, W1) - C1
    loss = F.cross_entropy(s, label, reduction="none")
    return {"h": h, "s": s, "P": F.softmax(s, 1), "loss": loss}


@enter(PEERS)
def batch_size(image, label, W, C) -> Values:
    s = F.linear(image.flatten(1), W.flatten(1)) / 16 - C
    return {"s": s, "loss": F.cross_entropy(s, label, reduction="none")}


@enter(PEERS)
def batch_learning(x, y, W) -> Values:
    o = F.threshold(x @ W, -1e-9, 0.0)
    return {"o3": o, "loss": F.mse_loss(o, y, reduction="none") / 2}


@enter(PEERS)
def by_hand(x, W, C, V, D) -> Values:
    h = F.relu(W @ x + C[:, None])
    s = V @ h + D[:, None]
    return {"h": h, "s": s, "o": F.relu(s)}


@enter(PEERS)
def lecture(x, label, **params) -> Values:
    """The biases are taken off there, and PyTorch adds them."""
    h = torch.sigmoid(F.linear(x, params["W0"], -params["b0"]))
    s = torch.sigmoid(F.linear(h, params["W1"], -params["b1"]))
    loss = F.cross_entropy(s, label, reduction="none")
    return {"h": h, "g": h, "s": s, "Q": F.softmax(s, 1), "loss": loss}
