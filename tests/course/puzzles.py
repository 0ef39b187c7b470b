"""Peers of the puzzles: the function of PyTorch that each is about."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

from tests.course.peers import Inputs, Peer

FUNCTIONS: dict[str, Callable[..., torch.Tensor]] = {
    "ones": lambda: torch.ones(5),
    "sum": lambda a: torch.sum(a),
    "outer": lambda a, c: torch.outer(a, c),
    "diag": lambda a: torch.diag(a),
    "eye": lambda: torch.eye(4),
    "triu": lambda: torch.triu(torch.ones(4, 4)),
    "cumsum": lambda a: torch.cumsum(a, 0),
    "diff": lambda a: torch.diff(a, prepend=torch.zeros(1)),
    "vstack": lambda a, c: torch.vstack([a, c]),
    "roll": lambda a: torch.roll(a, -1),
    "flip": lambda a: torch.flip(a, (0,)),
    "compress": lambda a, keep: F.pad(a[keep == 1], (0, int((keep == 0).sum()))),
    "pad_to": lambda a: F.pad(a, (0, 2)),
    "sequence_mask": lambda a, length: torch.where(torch.arange(4) < length[:, None], a, 0),
    "bincount": lambda a: torch.bincount(a, minlength=5),
    "scatter_add": lambda link, a: torch.zeros(4).double().scatter_add(0, link, a),
    "flatten": lambda a: torch.flatten(a),
    "linspace": lambda a, z: torch.lerp(a, z, torch.linspace(0, 1, 5).double()),
    "heaviside": lambda a, c: torch.where(a == 0, c, (a > 0).double()),
    "repeat": lambda a: a.repeat(2, 1),
    "bucketize": lambda a, boundary: torch.bucketize(a, boundary, right=True),
}
INPUTS: dict[str, Inputs] = {
    "heaviside": lambda batch, draws: {"a": draws.integers(-1, 2, 4).astype(float)},
    "bucketize": lambda batch, draws: {"boundary": np.sort(draws.normal(size=3))},
}


def entered(name: str) -> Peer:
    function = FUNCTIONS[name]
    inputs = {"inputs": INPUTS[name]} if name in INPUTS else {}
    return Peer(lambda **given: {"y": function(**given)}, **inputs)


PEERS = {name: entered(name) for name in FUNCTIONS}
