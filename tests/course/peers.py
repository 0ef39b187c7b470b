"""How a peer in PyTorch is entered beside its file of the course."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

Values = dict[str, torch.Tensor]
Inputs = Callable[[int, np.random.Generator], dict[str, np.ndarray]]


def _none(batch: int, draws: np.random.Generator) -> dict[str, np.ndarray]:
    del batch, draws
    return {}


@dataclass(frozen=True)
class Peer:
    """What PyTorch makes of a file's tensors: `loss`, and other values by their names.

    `inputs` gives those inputs that may not be just any number.
    """

    function: Callable[..., Values]
    inputs: Inputs = _none


def enter(peers: dict[str, Peer], inputs: Inputs = _none):
    """Enters a function under its own name."""

    def entered(function: Callable[..., Values]) -> Callable[..., Values]:
        peers[function.__name__] = Peer(function, inputs)
        return function

    return entered
